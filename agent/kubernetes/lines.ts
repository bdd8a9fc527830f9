/** Cuts a stream of bytes into lines, with a limit for each, so that a server without line ends cannot fill the memory. */
import { BerthError } from '../../kit/errors.ts';

const lineFeed = 0x0a;

export class LineReader {
  readonly #largest: number;
  #parts: Buffer[] = [];
  #size = 0;

  /** `largest` is the most bytes of a line. */
  constructor(largest: number) {
    this.#largest = largest;
  }

  /** The lines that end in this chunk, without empty ones. Throws OUT_OF_RANGE when a line grows past the limit. */
  push(chunk: Buffer): readonly string[] {
    const lines: string[] = [];
    let begin = 0;
    for (let end = chunk.indexOf(lineFeed); end >= 0; end = chunk.indexOf(lineFeed, begin)) {
      this.#keep(chunk.subarray(begin, end));
      const line = Buffer.concat(this.#parts).toString('utf8').trim();
      this.#parts = [];
      this.#size = 0;
      if (line !== '') lines.push(line);
      begin = end + 1;
    }
    this.#keep(chunk.subarray(begin));
    return lines;
  }

  #keep(part: Buffer): void {
    this.#size += part.length;
    if (this.#size > this.#largest)
      throw new BerthError('OUT_OF_RANGE', `a line of the answer is longer than ${this.#largest} bytes`);
    if (part.length > 0) this.#parts.push(part);
  }
}
