/**
 * Registration through the kubelet's plugin watcher: a socket in `<rootDir>/plugins_registry` that tells the kubelet which
 * plugin is where. The socket stays for the life of the plugin; its removal would deregister the plugin, so one that
 * vanishes is made again. The kubelet does not clean that directory and finds the socket again after its own restart.
 */
import { join } from 'node:path';
import { watchDirectory } from '../kit/directorywatch.ts';
import { messageOf } from '../kit/errors.ts';
import type { Logger } from '../kit/log.ts';
import type { Handlers } from '../protos/handlers.ts';
import { assertSocketPath, serve } from '../protos/serve.ts';
import type { GrpcServer } from '../protos/serve.ts';

export interface RegistrarOptions {
  /** The kubelet's root directory. */
  readonly rootDir: string;
  readonly type: 'CSIPlugin' | 'DevicePlugin';
  /** Driver or resource name. A `/` becomes `_` in the name of the socket. */
  readonly name: string;
  /** Path of the plugin's own socket as the kubelet sees it. */
  readonly endpoint: string;
  readonly versions: readonly string[];
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
  const { type, name, endpoint, versions, log } = options;
  const folder = join(options.rootDir, 'plugins_registry');
  const path = join(folder, `${name.replaceAll('/', '_')}-reg.sock`);
  const end = new AbortController();
  let status: RegistrarStatus = { state: 'waiting', reason: 'not started' };
  let server: GrpcServer | undefined;
  let looking: Promise<void> = Promise.resolve();

  const handlers: Handlers<'pluginregistration.Registration'> = {
    GetInfo: () => ({ type, name, endpoint, supported_versions: [...versions] }),
    NotifyRegistrationStatus: ({ plugin_registered, error }) => {
      status = plugin_registered
        ? { state: 'registered' }
        : { state: 'refused', reason: `the kubelet refused: ${error}` };
      if (plugin_registered)
        log.info({ event: 'plugin.registered', type, plugin: name }, 'registered with the kubelet');
      else
        log.error(
          { event: 'plugin.refused', type, plugin: name, reason: error },
          'the kubelet refused the registration',
        );
      return {};
    },
  };

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
