/** Bytes that can be told from all others, written piece by piece until there is no room, and read back. */
import { createHash } from 'node:crypto';
import { constants } from 'node:fs';
import { open } from 'node:fs/promises';
import { errnoOf } from '../../kit/errors.ts';

export const pieceBytes = 1 << 20;

function pieceOf(seed: string, at: number): Buffer {
  return Buffer.alloc(pieceBytes, createHash('sha256').update(`${seed}/${at}`).digest());
}

export interface Filled {
  /** How many pieces are durable. */
  readonly pieces: number;
  /** Why the next one was refused; undefined when it was not asked for. */
  readonly code: string | undefined;
}

/** Writes pieces from `from` on, each durably, into a file or device, to the last of `most` or until one is refused. */
export async function fill(path: string, seed: string, { from = 0, most = Infinity } = {}): Promise<Filled> {
  // A device cannot be made, and a file is not there yet.
  const file = await open(path, constants.O_RDWR | constants.O_DSYNC | constants.O_CREAT, 0o600);
  let pieces = from;
  try {
    while (pieces < most) {
      const { bytesWritten } = await file.write(pieceOf(seed, pieces), 0, pieceBytes, pieces * pieceBytes);
      // What does not fit whole is refused with the next call.
      if (bytesWritten < pieceBytes) return { pieces, code: 'ENOSPC' };
      pieces++;
    }
    return { pieces, code: undefined };
  } catch (error) {
    return { pieces, code: errnoOf(error) };
  } finally {
    await file.close().catch(() => undefined);
  }
}

/** Numbers of pieces, up to `pieces`, that are not as they were written. */
export async function lostPieces(path: string, seed: string, pieces: number): Promise<readonly number[]> {
  const file = await open(path, 'r');
  const lost: number[] = [];
  try {
    const buffer = Buffer.alloc(pieceBytes);
    for (let at = 0; at < pieces; at++) {
      await file.read(buffer, 0, pieceBytes, at * pieceBytes);
      if (!buffer.equals(pieceOf(seed, at))) lost.push(at);
    }
  } finally {
    await file.close();
  }
  return lost;
}
