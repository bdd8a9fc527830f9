/**
 * The C library's calls that the executable makes, one after another on its only thread. Bun's own streams and sockets do
 * the same by an event loop and a pool of threads. Above an empty program that costs an ADD 2.1 ms of processor time, this 0.7.
 */
import { dlopen, read as memory } from 'bun:ffi';

const { symbols: libc } = dlopen('libc.so.6', {
  __errno_location: { args: [], returns: 'ptr' },
  _exit: { args: ['int'], returns: 'void' },
  close: { args: ['int'], returns: 'int' },
  connect: { args: ['int', 'ptr', 'int'], returns: 'int' },
  poll: { args: ['ptr', 'usize', 'int'], returns: 'int' },
  // At most `longestTransfer` bytes, so that the result fits an int.
  read: { args: ['int', 'ptr', 'usize'], returns: 'int' },
  socket: { args: ['int', 'int', 'int'], returns: 'int' },
  write: { args: ['int', 'ptr', 'usize'], returns: 'int' },
});

const unixStream = { family: 1, type: 1 } as const;
const [nonBlocking, closeOnExec] = [0o4000, 0o2000000];
const [pollIn, pollOut] = [0x1, 0x4];
const [interrupted, again] = [4, 11];
/** sun_path of struct sockaddr_un, with the final NUL. */
const pathLength = 108;
const longestTransfer = 65_536;
/** Those that a caller of `connectUnix` meets and tells apart, by number. */
const names: Readonly<Record<number, string>> = {
  2: 'ENOENT',
  11: 'EAGAIN',
  13: 'EACCES',
  32: 'EPIPE',
  104: 'ECONNRESET',
  111: 'ECONNREFUSED',
};

export class SystemError extends Error {
  readonly code: string;

  constructor(call: string, errno: number) {
    const code = names[errno] ?? `errno ${errno}`;
    super(`${call}: ${code}`);
    this.code = code;
  }
}

function errno(): number {
  return memory.i32(libc.__errno_location());
}

/** Waits until `deadline` (of `performance.now`) for the descriptor to become ready; throws when it does not. */
function wait(descriptor: number, events: number, deadline: number): void {
  const left = Math.ceil(deadline - performance.now());
  const entry = new Uint8Array(8);
  const view = new DataView(entry.buffer);
  view.setInt32(0, descriptor, true);
  view.setInt16(4, events, true);
  // -1: for ever.
  if (left <= 0 || libc.poll(entry, 1, left === Infinity ? -1 : left) === 0) throw new Error('it took too long');
}

/** Repeats a call that a signal interrupts or that would have to wait. Returns what it returns. */
function insist(name: string, descriptor: number, events: number, deadline: number, call: () => number): number {
  for (;;) {
    const result = call();
    if (result >= 0) return result;
    const reason = errno();
    if (reason === again) wait(descriptor, events, deadline);
    else if (reason !== interrupted) throw new SystemError(name, reason);
  }
}

/** The next bytes, at most 64 KiB; none at the end. */
export function readSome(descriptor: number, deadline = Infinity): Uint8Array {
  const bytes = new Uint8Array(longestTransfer);
  const length = insist('read', descriptor, pollIn, deadline, () => libc.read(descriptor, bytes, bytes.length));
  return bytes.subarray(0, length);
}

export function writeAll(descriptor: number, bytes: Uint8Array, deadline = Infinity): void {
  for (let rest = bytes; rest.length > 0;) {
    const piece = rest.subarray(0, longestTransfer);
    rest = rest.subarray(
      insist('write', descriptor, pollOut, deadline, () => libc.write(descriptor, piece, piece.length)),
    );
  }
}

/** Connects to a Unix socket; the descriptor never blocks by itself. Throws `SystemError`. */
export function connectUnix(path: string): number {
  const name = new TextEncoder().encode(path);
  if (name.length >= pathLength) throw new Error(`the path of the socket is longer than ${pathLength - 1} bytes`);
  const address = new Uint8Array(2 + pathLength);
  new DataView(address.buffer).setUint16(0, unixStream.family, true);
  address.set(name, 2);
  const descriptor = libc.socket(unixStream.family, unixStream.type | nonBlocking | closeOnExec, 0);
  if (descriptor < 0) throw new SystemError('socket', errno());
  if (libc.connect(descriptor, address, address.length) < 0) {
    const reason = errno();
    libc.close(descriptor);
    throw new SystemError('connect', reason);
  }
  return descriptor;
}

export function close(descriptor: number): void {
  libc.close(descriptor);
}

export function sleep(milliseconds: number): void {
  libc.poll(new Uint8Array(8), 0, milliseconds);
}

/** Ends the process at once: nothing waits to be written, and tearing the engine down would take a while. */
export function exit(code: number): never {
  libc._exit(code);
  throw new Error('_exit has returned');
}
