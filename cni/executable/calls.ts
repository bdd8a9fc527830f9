/** Reading, writing and connecting, one call after another on the only thread, with deadlines. */
import { host } from './host.ts';
import type { Host } from './host.ts';

const [interrupted, again] = [4, 11];
const longestTransfer = 65_536;
/** sun_path of struct sockaddr_un, without the final NUL. */
const longestPath = 107;
export class SystemError extends Error {
  readonly code: string;

  /** `of` names errors. */
  constructor(call: string, errno: number, of: Pick<Host, 'nameOf'>) {
    const code = of.nameOf(errno);
    super(`${call}: ${code}`);
    this.code = code;
  }
}

/** Returns what a call returned, or throws `SystemError`. */
export function checked(call: string, result: number, of: Pick<Host, 'nameOf'> = host): number {
  if (result < 0) throw new SystemError(call, -result, of);
  return result;
}

/** Waits until `deadline` (of `host.now`) for the descriptor to become ready; throws when it does not. */
function wait(descriptor: number, writing: boolean, deadline: number): void {
  const left = Math.ceil(deadline - host.now());
  if (left <= 0 || host.wait(descriptor, writing, left === Infinity ? -1 : left) === 0)
    throw new Error('it took too long');
}

/** Repeats a call that a signal interrupts or that would have to wait. Returns what it returns. */
function insist(name: string, descriptor: number, deadline: number, call: () => number): number {
  for (;;) {
    const result = call();
    if (result === -again) wait(descriptor, name === 'write', deadline);
    else if (result !== -interrupted) return checked(name, result);
  }
}

/** The next bytes, at most 64 KiB; none at the end. */
export function readSome(descriptor: number, deadline = Infinity): Uint8Array {
  const bytes = new Uint8Array(longestTransfer);
  const call = (): number => host.read(descriptor, bytes.buffer, 0, bytes.length);
  return bytes.subarray(0, insist('read', descriptor, deadline, call));
}

export function writeAll(descriptor: number, bytes: Uint8Array, deadline = Infinity): void {
  for (let rest = bytes; rest.length > 0;) {
    const { buffer, byteOffset } = rest;
    const length = Math.min(rest.length, longestTransfer);
    rest = rest.subarray(
      insist('write', descriptor, deadline, () => host.write(descriptor, buffer, byteOffset, length)),
    );
  }
}

/** Connects to a Unix socket. Throws `SystemError`. */
export function connectUnix(path: string): number {
  if (host.encode(path).byteLength > longestPath)
    throw new Error(`the path of the socket is longer than ${longestPath} bytes`);
  return checked('connect', host.connect(path));
}
