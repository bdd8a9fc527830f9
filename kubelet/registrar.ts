/**
 * Registration through the kubelet's plugin watcher: a socket in `<rootDir>/plugins_registry` that tells the kubelet which
 * plugin is where. The socket stays for the life of the plugin; its removal would deregister the plugin, so one that
 * vanishes is made again. The kubelet does not clean that directory and finds the socket again after its own restart.
 */
import { join } from 'node:path';
import { watchDirectory } from '../kit/directorywatch.ts';
import { messageOf } from '../kit/errors.ts';
import type { Logger } from '../kit/log.ts';
import { assertSocketPath, serve } from '../protos/serve.ts';
import type { GrpcServer } from '../protos/serve.ts';
import { pluginRegistration, pluginRegistryDirectory } from './pluginregistration.ts';
import type { PluginDescription } from './pluginregistration.ts';

/** A `/` in the plugin's name becomes `_` in the name of the socket. */
export interface RegistrarOptions extends PluginDescription {
  /** The kubelet's root directory. */
  readonly rootDir: string;
  readonly log: Logger;
}

/** Where the registration stands; `reason` says why it is not `registered`. */
export type RegistrarStatus =
  { readonly state: 'registered' } | { readonly state: 'waiting' | 'refused'; readonly reason: string };

export interface Registrar {
  /** Begins to offer the plugin; waits for nothing, also not for the directory. Throws INVALID_ARGUMENT for a path too long. */
  start(): void;
  status(): RegistrarStatus;
  /** Takes the offer back, which deregisters the plugin. Never throws. */
  stop(deadline?: AbortSignal): Promise<void>;
}

export function createRegistrar(options: RegistrarOptions): Registrar {
  const { name, log } = options;
  const folder = join(options.rootDir, pluginRegistryDirectory);
  const path = join(folder, `${name.replaceAll('/', '_')}-reg.sock`);
  const end = new AbortController();
  let status: RegistrarStatus = { state: 'waiting', reason: 'not started' };
  let server: GrpcServer | undefined;
  let looking: Promise<void> = Promise.resolve();

  const handlers = pluginRegistration(options, (reason) => {
    status = reason === undefined ? { state: 'registered' } : { state: 'refused', reason };
    const line = { event: `plugin.${status.state}`, type: options.type, plugin: name };
    if (reason === undefined) log.info(line, 'registered with the kubelet');
    else log.error({ ...line, reason }, 'the kubelet refused the registration');
  });

  const look = async (): Promise<void> => {
    if (server !== undefined) {
      if (await server.lives()) return;
      log.warn({ event: 'plugin.socket_vanished', path }, 'registration socket vanished');
      await server.stop();
      server = undefined;
    }
    try {
      // The name is only ours, so a socket of an agent that was killed, or is about to end, gives way.
      server = await serve({ path, services: { 'pluginregistration.Registration': handlers }, log, takeOver: true });
      status = { state: 'waiting', reason: `the kubelet has not asked ${path} yet` };
    } catch (thrown) {
      status = { state: 'waiting', reason: messageOf(thrown) };
    }
  };

  return {
    start: () => {
      assertSocketPath(path);
      status = { state: 'waiting', reason: 'not offered yet' };
      watchDirectory(folder, () => (looking = look()), { signal: end.signal });
    },
    status: () => status,
    stop: async (deadline) => {
      end.abort();
      await looking;
      await server?.stop(deadline);
      status = { state: 'waiting', reason: 'stopped' };
    },
  };
}
