/** The socket the CNI executable talks to: one request and one reply per connection, in the frames of `protocol.ts`. */
import { randomBytes } from 'node:crypto';
import { chmod, mkdir, rename, rm, stat } from 'node:fs/promises';
import { createServer } from 'node:net';
import type { Server, Socket } from 'node:net';
import { dirname } from 'node:path';
import { BerthError, messageOf } from '../kit/errors.ts';
import { FrameReader, cniCode, encodeFrame, errorText, protocolVersion } from './protocol.ts';
import { decodeHeader } from './requestheader.ts';

/** What the executable is to print and to exit with. */
export interface Reply {
  readonly exit: number;
  readonly stdout: string;
}

export type Handler = (variables: Readonly<Record<string, string>>, stdin: Uint8Array) => Promise<Reply>;

/** A caller that has not sent its request, or not taken its answer, by then is cut off, milliseconds. */
const requestTimeout = 10_000;
// Far above what a runtime starts at once; below the default limit of open files.
const mostConnections = 512;
// sun_path holds 108 bytes with the final NUL; the temporary name is longer than the final one.
const longestPath = 107;

export class CniServer {
  readonly #path: string;
  readonly #handler: Handler;
  readonly #onError: (error: Error) => void;
  readonly #running = new Set<Promise<void>>();
  #server: Server | undefined;
  #inode = 0;

  /** `onError` hears of connections that could not be taken (no descriptors left, say); the server goes on. */
  constructor(path: string, handler: Handler, onError: (error: Error) => void) {
    this.#path = path;
    this.#handler = handler;
    this.#onError = onError;
  }

  /** Listens. The folder gets mode 0700 and the socket 0600: what comes over it acts as root. */
  async listen(): Promise<void> {
    const folder = dirname(this.#path);
    await mkdir(folder, { recursive: true, mode: 0o700 });
    await chmod(folder, 0o700);
    // Bound under another name and renamed: nobody ever finds a socket that does not answer, and a stale one is replaced.
    const temporary = `${this.#path}.${randomBytes(3).toString('hex')}`;
    if (Buffer.byteLength(temporary) > longestPath)
      throw new BerthError(
        'CONFIG_INVALID',
        `the socket path ${this.#path} is too long: at most ${longestPath - 7} bytes`,
      );
    const server = createServer({ allowHalfOpen: true }, (socket) => {
      this.#accept(socket);
    });
    server.maxConnections = mostConnections;
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(temporary, resolve);
    });
    server.on('error', this.#onError);
    try {
      await chmod(temporary, 0o600);
      this.#inode = (await stat(temporary)).ino;
      await rename(temporary, this.#path);
    } catch (error) {
      server.close();
      throw error;
    }
    this.#server = server;
  }

  /** Takes no new calls and waits for those in flight until the deadline. */
  async close(deadline: AbortSignal): Promise<void> {
    const server = this.#server;
    if (server === undefined) return;
    this.#server = undefined;
    // A successor may have put its own socket there already.
    const found = await stat(this.#path).catch(() => undefined);
    if (found?.ino === this.#inode) await rm(this.#path, { force: true });
    server.close();
    const expired = new Promise<void>((resolve) => {
      if (deadline.aborted) resolve();
      else
        deadline.addEventListener(
          'abort',
          () => {
            resolve();
          },
          { once: true },
        );
    });
    await Promise.race([Promise.allSettled([...this.#running]), expired]);
  }

  #accept(socket: Socket): void {
    const reader = new FrameReader();
    // From the beginning and not from the last byte: whoever sends one now and then would stay for ever.
    let deadline = setTimeout(() => socket.destroy(), requestTimeout);
    socket.on('close', () => {
      clearTimeout(deadline);
    });
    // A runtime that gives up kills its executable. What was begun is finished all the same: its DEL comes later.
    socket.on('error', () => socket.destroy());
    socket.on('end', () => socket.destroy());
    socket.on('data', (chunk) => {
      let frame;
      try {
        frame = reader.push(chunk as Uint8Array);
      } catch (error) {
        // Whatever else comes is not looked at, and not waited for.
        socket.removeAllListeners('data');
        const stdout = errorText('1.1.0', cniCode.decodeFailure, messageOf(error));
        this.#answer(socket, { exit: 1, stdout }, () => socket.destroy());
        return;
      }
      if (frame === undefined) return;
      clearTimeout(deadline);
      socket.removeAllListeners('data');
      const work = this.#reply(frame.header, frame.body).then((reply) => {
        if (!socket.destroyed) deadline = setTimeout(() => socket.destroy(), requestTimeout);
        this.#answer(socket, reply);
      });
      this.#running.add(work);
      void work.finally(() => this.#running.delete(work));
    });
  }

  async #reply(header: unknown, body: Uint8Array): Promise<Reply> {
    const decoded = decodeHeader(header);
    return 'refusal' in decoded ? refused(decoded.refusal) : await this.#handler(decoded.variables, body);
  }

  #answer(socket: Socket, reply: Reply, onSent: () => void = () => undefined): void {
    if (socket.destroyed) return;
    const frame = encodeFrame({ protocol: protocolVersion, exit: reply.exit }, new TextEncoder().encode(reply.stdout));
    socket.end(frame, onSent);
  }
}

function refused(why: string): Reply {
  return { exit: 1, stdout: errorText('1.1.0', cniCode.tryAgainLater, why) };
}
