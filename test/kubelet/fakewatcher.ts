/** The kubelet's plugin watcher: finds sockets in the registry, asks what they are, registers them, and tells how it went. */
import { lstat, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { watchDirectory } from '../../kit/directorywatch.ts';
import { messageOf } from '../../kit/errors.ts';
import { dial } from '../../protos/dial.ts';

export interface FakeWatcher {
  stop(): Promise<void>;
}

export interface DeviceManager {
  /** Throws why it refuses. */
  register(resource: string, path: string): Promise<void>;
  deregister(resource: string, path: string): void;
}

/** Looks at once, at every event and every second; what failed is tried again at the next look. */
export function startFakeWatcher(registry: string, manager: DeviceManager): FakeWatcher {
  const end = new AbortController();
  /** Sockets that are registered, by path: what they are, and which file it was. */
  const known = new Map<string, { readonly resource: string; readonly inode: number }>();
  let looking: Promise<void> = Promise.resolve();

  const register = async (path: string, inode: number): Promise<void> => {
    const plugin = dial('pluginregistration.Registration', path, { timeoutMs: 1_000 });
    try {
      const { type, name, endpoint, supported_versions: versions } = await plugin.GetInfo({});
      let error = '';
      try {
        if (type !== 'DevicePlugin' || !versions.includes('v1beta1')) throw new Error(`cannot serve ${type}`);
        await manager.register(name, endpoint === '' ? path : endpoint);
        known.set(path, { resource: name, inode });
      } catch (thrown) {
        error = messageOf(thrown);
      }
      await plugin.NotifyRegistrationStatus({ plugin_registered: error === '', error });
    } catch {
      // Gone meanwhile, or not serving yet: the next look.
    } finally {
      plugin.close();
    }
  };

  const look = async (): Promise<void> => {
    const found = new Map<string, number>();
    for (const name of await readdir(registry).catch(() => [])) {
      const path = join(registry, name);
      const stats = name.startsWith('.') ? undefined : await lstat(path).catch(() => undefined);
      if (stats?.isSocket() === true) found.set(path, stats.ino);
    }
    for (const [path, { resource, inode }] of known)
      if (found.get(path) !== inode) {
        known.delete(path);
        manager.deregister(resource, path);
      }
    for (const [path, inode] of found) if (!known.has(path) && !end.signal.aborted) await register(path, inode);
  };

  watchDirectory(registry, () => (looking = look()), { signal: end.signal });
  return {
    stop: async () => {
      end.abort();
      await looking;
    },
  };
}
