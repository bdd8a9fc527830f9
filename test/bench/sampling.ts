/** Samples of ours and of the peer in turn, so that whatever else the machine does meets both alike. */
import { setImmediate } from 'node:timers/promises';

/** Milliseconds by what was timed. */
export type Timings = Readonly<Record<string, number>>;
/** One round of one side; what it makes it takes back. */
export type Side = (round: number) => Promise<Timings>;
/** By what was timed. */
export type Samples = ReadonlyMap<string, readonly number[]>;

export interface SamplingOptions {
  readonly rounds: number;
  /** No new round begins after this many milliseconds; there are then fewer samples, and the figure says how many. */
  readonly withinMs: number;
  readonly signal: AbortSignal;
  /** Rounds that do not count: files get into the page cache, code gets compiled. Default 3. */
  readonly warmUp?: number;
}

const usualWarmUp = 3;

/** Runs both sides in turn, each first in every other round. Throws when the signal fires or a side fails. */
export async function sampleInTurn(
  sides: { readonly ours: Side; readonly peer: Side },
  options: SamplingOptions,
): Promise<{ readonly ours: Samples; readonly peer: Samples }> {
  const [ours, peer] = [new Map<string, number[]>(), new Map<string, number[]>()];
  const turns = [
    [sides.ours, ours],
    [sides.peer, peer],
  ] as const;
  const end = performance.now() + options.withinMs;
  for (let round = -(options.warmUp ?? usualWarmUp); round < options.rounds; round += 1) {
    if (round > 0 && performance.now() > end) break;
    for (const [side, samples] of round % 2 === 0 ? turns : turns.toReversed()) {
      // Signals arrive between two turns of the event loop, and a side may be synchronous.
      await setImmediate();
      options.signal.throwIfAborted();
      const timings = await side(round);
      if (round < 0) continue;
      for (const [name, ms] of Object.entries(timings)) samples.set(name, [...(samples.get(name) ?? []), ms]);
    }
  }
  return { ours, peer };
}

/** For what has no peer. */
export const noPeer: Side = () => Promise.resolve({});

/** Milliseconds that `work` takes. */
export async function timed(work: () => Promise<unknown>): Promise<number> {
  const began = performance.now();
  await work();
  return performance.now() - began;
}
