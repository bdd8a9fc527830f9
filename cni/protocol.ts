/**
 * What the CNI executable and the agent say to each other on the socket: one request and one reply per connection, each a
 * frame of two lengths, a JSON header and a body of raw bytes. Imported by the executable, so it imports nothing.
 *
 * Frame: header length and body length as unsigned 32-bit big-endian numbers, the header (UTF-8 JSON), the body. The body
 * of a request is the runtime's standard input as it came, the body of a reply what goes to standard output.
 */

/**
 * Version of the meaning of the headers. The frame itself never changes, nor that a reply has `exit` and its body goes to
 * standard output. Executable and agent are of different ages during every upgrade: a request says the newest protocol
 * it speaks and the oldest that gives it the same meaning, and the agent takes the newest both know.
 */
export const protocolVersion = 1;
/** The oldest protocol that this agent answers and this executable can be understood by. */
export const oldestProtocol = 1;
/** Where the agent listens unless the network configuration says otherwise (key `socket`). */
export const defaultSocketPath = '/run/berth/cni.sock';
/** CNI configuration versions with which pods can be attached. */
export const supportedVersions: readonly string[] = ['0.1.0', '0.2.0', '0.3.0', '0.3.1', '0.4.0', '1.0.0', '1.1.0'];

export const largestHeader = 262_144;
export const largestBody = 1_048_576;
const lengthsLength = 8;

export interface RequestHeader {
  readonly protocol: number;
  /** Missing in executables that speak one protocol only. */
  readonly oldest?: number;
  /** The variables whose names begin with `CNI_`. */
  readonly variables: Readonly<Record<string, string>>;
}

export interface ReplyHeader {
  readonly protocol: number;
  /** Exit code of the executable. */
  readonly exit: number;
}

/** The protocol for a request, or undefined when the two have none in common. */
export function commonProtocol(newest: number, oldest = newest): number | undefined {
  const protocol = Math.min(newest, protocolVersion);
  return protocol >= Math.max(oldest, oldestProtocol) ? protocol : undefined;
}

/** Codes of the CNI specification's section "Error" that Berth gives. */
export const cniCode = {
  incompatibleVersion: 1,
  unsupportedField: 2,
  invalidEnvironment: 4,
  ioFailure: 5,
  decodeFailure: 6,
  invalidNetworkConfig: 7,
  invalidNamespace: 8,
  tryAgainLater: 11,
  notAvailable: 50,
  /** Neither can new pods be attached nor do those there have all of their network (STATUS). */
  limitedConnectivity: 51,
  /** First of the codes that are the plugin's own: the attachment is not as it should be (CHECK). */
  attachmentBroken: 100,
  internal: 999,
} as const;

/** An error as the specification wants it on standard output. */
export function errorText(cniVersion: string, code: number, message: string, details = ''): string {
  return JSON.stringify({ cniVersion, code, msg: message, ...(details === '' ? {} : { details }) });
}

export function encodeFrame(header: RequestHeader | ReplyHeader, body: Uint8Array): Uint8Array {
  const head = new TextEncoder().encode(JSON.stringify(header));
  const frame = new Uint8Array(lengthsLength + head.length + body.length);
  const view = new DataView(frame.buffer);
  view.setUint32(0, head.length);
  view.setUint32(4, body.length);
  frame.set(head, lengthsLength);
  frame.set(body, lengthsLength + head.length);
  return frame;
}

/** Collects the bytes of one frame as they arrive, in no more memory than it has, however small the pieces. */
export class FrameReader {
  readonly #lengths = new Uint8Array(lengthsLength);
  #frame: Uint8Array | undefined;
  #length = 0;

  /**
   * Takes bytes; returns the header (parsed, of any shape) and the body once the frame is whole. Throws when a length is
   * over its limit or the header is not JSON.
   */
  push(chunk: Uint8Array): { readonly header: unknown; readonly body: Uint8Array } | undefined {
    let rest = chunk;
    if (this.#length < lengthsLength) {
      const missing = rest.subarray(0, lengthsLength - this.#length);
      this.#lengths.set(missing, this.#length);
      this.#length += missing.length;
      rest = rest.subarray(missing.length);
      if (this.#length < lengthsLength) return undefined;
    }
    const view = new DataView(this.#lengths.buffer);
    const [head, body] = [view.getUint32(0), view.getUint32(4)];
    if (head > largestHeader || body > largestBody)
      throw new Error(`a frame of ${head} and ${body} bytes is too large`);
    this.#frame ??= new Uint8Array(head + body);
    const at = this.#length - lengthsLength;
    // What comes behind the frame is nobody's.
    const taken = rest.subarray(0, this.#frame.length - at);
    this.#frame.set(taken, at);
    this.#length += taken.length;
    if (this.#length < lengthsLength + head + body) return undefined;
    return {
      header: JSON.parse(new TextDecoder().decode(this.#frame.subarray(0, head))),
      body: this.#frame.subarray(head),
    };
  }
}
