/** What host.c gives the executable: the system calls it makes. One that fails returns its errno, negative. */

/** Bytes of a buffer are always given as buffer, offset and length. */
export interface Host {
  /** `NAME=value` of the variables whose names begin with `CNI_`. */
  environment(): string[];
  /** UTF-8. */
  encode(text: string): ArrayBuffer;
  /** What is no UTF-8 becomes U+FFFD. */
  decode(buffer: ArrayBufferLike, offset: number, length: number): string;
  read(fd: number, buffer: ArrayBufferLike, offset: number, length: number): number;
  write(fd: number, buffer: ArrayBufferLike, offset: number, length: number): number;
  /** A descriptor connected to a Unix socket, that never blocks by itself. */
  connect(path: string): number;
  /** Until the descriptor can be read from or written to; 0 when the milliseconds (-1: for ever) are over. Descriptor -1 sleeps. */
  wait(fd: number, writing: boolean, milliseconds: number): number;
  close(fd: number): number;
  exit(code: number): never;
  /** `ENOENT` for 2. */
  nameOf(errno: number): string;
  /** Milliseconds of a clock that nobody sets. */
  now(): number;
  pid(): number;
  /** For the owner alone, as what `create` makes. */
  mkdir(path: string): number;
  /** A descriptor of a new file to write to. */
  create(path: string): number;
  unlink(path: string): number;
  rename(from: string, to: string): number;
  size(path: string): number;
  list(path: string): string[] | number;
}

/** Undefined outside of the executable. */
export const host: Host = (globalThis as unknown as { readonly host: Host }).host;

// The engine has no encoders; the protocol, which the agent speaks too, uses those that Node has.
if ((globalThis as { TextEncoder?: unknown }).TextEncoder === undefined) {
  Object.assign(globalThis, {
    TextEncoder: class {
      encode(text: string): Uint8Array {
        return new Uint8Array(host.encode(text));
      }
    },
    TextDecoder: class {
      decode({ buffer, byteOffset, length }: Uint8Array): string {
        return host.decode(buffer, byteOffset, length);
      }
    },
  });
}
