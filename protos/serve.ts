/** Serving gRPC on a Unix socket: the name, its mode, a stale file in its place, and stopping without cutting off calls. */
import { randomBytes } from 'node:crypto';
import { lstat, readdir, rename, unlink } from 'node:fs/promises';
import { connect, createServer } from 'node:net';
import type { Server as SocketServer } from 'node:net';
import { dirname, join } from 'node:path';
import { Server, ServerCredentials } from '@grpc/grpc-js';
import { temporaryPrefix } from '../kit/durablefile.ts';
import { BerthError, messageOf } from '../kit/errors.ts';
import { adapt, takesBytes } from './handlers.ts';
import type { CallOptions, Handlers } from './handlers.ts';
import { definitionOf } from './load.ts';
import type { ServiceName } from './services.ts';

/** The longest path of a Unix socket: sun_path has 108 bytes with its NUL. Node would cut a longer one without a word. */
export const maxSocketPathBytes = 107;

/** Handlers of one or more services, by full name. */
export type ServiceHandlers = { readonly [S in ServiceName]?: Handlers<S> };

export interface ServeOptions extends CallOptions {
  /** Absolute path of the socket; its directory exists. */
  readonly path: string;
  readonly services: ServiceHandlers;
  /** The name is only ours: what lies there is removed even when somebody answers. Default: an answered socket is refused. */
  readonly takeOver?: boolean;
}

export interface GrpcServer {
  readonly path: string;
  /** False when the socket file was removed or replaced by somebody: nobody can call any more. */
  lives(): Promise<boolean>;
  /**
   * Takes no new calls and removes the socket file, ends the streams, lets calls in flight finish until `deadline` fires
   * (default: 1 s), then cuts what is left. Never throws; further calls wait for the first.
   */
  stop(deadline?: AbortSignal): Promise<void>;
}

/**
 * Listens on `path` with mode 0600. Throws INVALID_ARGUMENT for a path that is too long, ALREADY_EXISTS when something
 * else answers there or lies there, IO_FAILED when the kernel refuses.
 */
export async function serve(options: ServeOptions): Promise<GrpcServer> {
  const { path } = options;
  assertSocketPath(path);
  await refuseForeign(path, options.takeOver ?? false);
  const stopping = new AbortController();
  // No idle or age limit (grpc-js's default): either would end streams that must live for ever.
  const server = new Server({ 'grpc.enable_channelz': 0 });
  for (const [service, handlers] of Object.entries(options.services) as [ServiceName, Handlers<ServiceName>][])
    server.addService(takesBytes(definitionOf(service)), adapt(service, handlers, stopping.signal, options));
  // grpc-js's own bind happens in a later tick, so a umask around it would cover foreign file creations too.
  const injector = server.createConnectionInjector(ServerCredentials.createInsecure());
  const listener = createServer((socket) => {
    injector.injectConnection(socket);
  });
  // Accepting may fail (no descriptors or memory left); without a listener that would end the process.
  listener.on('error', (error) => {
    if (listener.listening) options.log.error({ event: 'socket.accept_failed', path }, messageOf(error));
  });
  const inode = await listenAt(listener, path);
  const lives = async (): Promise<boolean> => (await lstat(path).catch(() => undefined))?.ino === inode;
  let stopped: Promise<void> | undefined;
  const stop = async (deadline: AbortSignal): Promise<void> => {
    listener.close();
    if (await lives()) await unlink(path).catch(() => undefined);
    stopping.abort();
    await new Promise<void>((resolve) => {
      server.tryShutdown(() => {
        resolve();
      });
      if (deadline.aborted) resolve();
      deadline.addEventListener('abort', () => {
        resolve();
      });
    });
    server.forceShutdown();
  };
  return { path, lives, stop: (deadline) => (stopped ??= stop(deadline ?? AbortSignal.timeout(1_000))) };
}

/** Throws INVALID_ARGUMENT when a Unix socket cannot have this path. */
export function assertSocketPath(path: string): void {
  const bytes = Buffer.byteLength(path);
  if (bytes > maxSocketPathBytes || !path.startsWith('/'))
    throw new BerthError(
      'INVALID_ARGUMENT',
      `socket path "${path}" must be absolute and at most ${maxSocketPathBytes} bytes (it has ${bytes}); choose a shorter directory`,
    );
}

/** Throws ALREADY_EXISTS for what must not be replaced: something that is no socket, or a socket that is answered. */
async function refuseForeign(path: string, takeOver: boolean): Promise<void> {
  const stats = await lstat(path).catch(() => undefined);
  if (stats === undefined) return;
  if (!stats.isSocket()) throw new BerthError('ALREADY_EXISTS', `${path} exists and is no socket; move it away`);
  if (!takeOver && (await answers(path)))
    throw new BerthError('ALREADY_EXISTS', `another process serves ${path}; stop it first`);
}

/** Whether somebody accepts connections on a Unix socket. */
export async function answers(path: string): Promise<boolean> {
  return await new Promise((resolve) => {
    const socket = connect(path);
    const done = (answered: boolean): void => {
      socket.destroy();
      resolve(answered);
    };
    socket.once('connect', () => {
      done(true);
    });
    socket.once('error', () => {
      done(false);
    });
  });
}

const temporaryName = /^\.tmp-berth-[0-9a-f]{6}$/;

/**
 * Removes from a directory the sockets whose process has ended: those that it was killed while making, and those whose names are
 * `ours`. Nobody answers them. Returns their paths; never throws.
 */
export async function removeAbandonedSockets(directory: string, ours?: RegExp): Promise<readonly string[]> {
  const removed: string[] = [];
  for (const name of await readdir(directory).catch(() => [])) {
    if (!temporaryName.test(name) && ours?.test(name) !== true) continue;
    const path = join(directory, name);
    if (!(await lstat(path).catch(() => undefined))?.isSocket() || (await answers(path))) continue;
    await unlink(path).catch(() => undefined);
    removed.push(path);
  }
  return removed;
}

/**
 * Binds under a temporary name and renames it, replacing a stale socket. Closing a listener unlinks the name it was bound
 * to whoever holds that name by then; the temporary one is nobody's. The kubelet's plugin watcher skips names with a dot.
 * Returns the inode of the socket file.
 */
async function listenAt(listener: SocketServer, path: string): Promise<number> {
  const temporary = join(dirname(path), `${temporaryPrefix}berth-${randomBytes(3).toString('hex')}`);
  assertSocketPath(temporary);
  try {
    await new Promise<void>((resolve, reject) => {
      listener.once('error', reject);
      // 0177, for bind makes a socket 0777 & ~umask. Node binds a path within `listen` itself, so the narrow umask touches
      // nothing but this socket file.
      const before = process.umask(0o177);
      try {
        listener.listen(temporary, resolve);
      } finally {
        process.umask(before);
      }
    });
    const { ino } = await lstat(temporary);
    await rename(temporary, path);
    return ino;
  } catch (thrown) {
    listener.close();
    throw new BerthError('IO_FAILED', `listen on ${path}: ${messageOf(thrown)}`, { cause: thrown });
  }
}
