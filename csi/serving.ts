/** The driver's socket and its registration with the kubelet: served, served again when somebody removes the socket, and stopped. */
import { mkdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { watchDirectory } from '../kit/directorywatch.ts';
import { messageOf } from '../kit/errors.ts';
import type { Logger } from '../kit/log.ts';
import { pluginRegistryDirectory } from '../kubelet/pluginregistration.ts';
import { createRegistrar } from '../kubelet/registrar.ts';
import type { Registrar } from '../kubelet/registrar.ts';
import type { Handlers, FinishedCall } from '../protos/handlers.ts';
import { removeAbandonedSockets, serve } from '../protos/serve.ts';
import type { GrpcServer } from '../protos/serve.ts';

export interface ServingOptions {
  readonly kubeletRoot: string;
  readonly driverName: string;
  readonly services: {
    readonly 'csi.v1.Identity': Handlers<'csi.v1.Identity'>;
    readonly 'csi.v1.Controller': Handlers<'csi.v1.Controller'>;
    readonly 'csi.v1.GroupController': Handlers<'csi.v1.GroupController'>;
    readonly 'csi.v1.SnapshotMetadata': Handlers<'csi.v1.SnapshotMetadata'>;
    readonly 'csi.v1.Node': Handlers<'csi.v1.Node'>;
  };
  readonly log: Logger;
  readonly onCall: (call: FinishedCall) => void;
}

export interface Serving {
  readonly registrar: Registrar;
  /** Withdraws the registration, then the socket; waits for calls until the deadline. */
  stop(deadline: AbortSignal): Promise<void>;
}

/** The path of the driver's socket, which the sidecars mount the folder of. */
export function driverSocketPath(kubeletRoot: string, driverName: string): string {
  return join(kubeletRoot, 'plugins', driverName, 'csi.sock');
}

export async function startServing({
  kubeletRoot,
  driverName,
  services,
  log,
  onCall,
}: ServingOptions): Promise<Serving> {
  const path = driverSocketPath(kubeletRoot, driverName);
  const serveHere = async (): Promise<GrpcServer> => {
    await mkdir(dirname(path), { recursive: true, mode: 0o750 });
    // The pools' locks say that no other Berth serves; what answers here is one that is about to end.
    return await serve({ path, services, log, takeOver: true, onCall });
  };
  for (const directory of [dirname(path), join(kubeletRoot, pluginRegistryDirectory)])
    await removeAbandonedSockets(directory);
  let server = await serveHere();
  const registrar = createRegistrar({
    rootDir: kubeletRoot,
    type: 'CSIPlugin',
    name: driverName,
    endpoint: path,
    versions: ['1.0.0'],
    log,
  });
  const end = new AbortController();
  let looking: Promise<void> = Promise.resolve();
  let complained: string | undefined;
  // Somebody who cleans up the kubelet's folder takes the socket with it: nobody could call any more, and no one would say so.
  const look = async (): Promise<void> => {
    if (end.signal.aborted || (await server.lives())) return;
    if (complained === undefined)
      log.warn({ event: 'csi.socket_vanished', path }, 'driver socket vanished; serving again');
    try {
      const next = await serveHere();
      await server.stop();
      server = next;
      complained = undefined;
    } catch (error) {
      const reason = messageOf(error);
      // It is tried every second; a full disk must not become fuller by the log of it.
      if (reason !== complained)
        log.error({ event: 'csi.socket_failed', path, reason }, 'driver socket could not be made again');
      complained = reason;
    }
  };
  try {
    registrar.start();
  } catch (error) {
    await server.stop();
    throw error;
  }
  watchDirectory(dirname(path), () => (looking = look()), { signal: end.signal });
  return {
    registrar,
    async stop(deadline) {
      end.abort();
      await registrar.stop(deadline);
      await looking;
      await server.stop(deadline);
    },
  };
}
