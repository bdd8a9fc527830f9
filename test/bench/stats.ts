/** From samples to a figure: percentiles, the ratio to a peer and whether it is within its limit. Pure. */

/** One line of output. Times in milliseconds; what does not apply is null. */
export interface Figure {
  readonly bench: string;
  /** Samples of ours. */
  readonly n: number;
  readonly p50_ms: number;
  readonly p99_ms: number;
  /** What ours is measured beside, with its version. */
  readonly peer: string | null;
  /** Samples of the peer. */
  readonly peer_n: number | null;
  readonly peer_p50_ms: number | null;
  readonly peer_p99_ms: number | null;
  /** Ours by the peer's, at p50; below 1 ours is ahead. */
  readonly ratio: number | null;
  /** The ratio that may not be exceeded. */
  readonly limit: number | null;
  readonly ok: boolean | null;
}

/** A line of output for what is no duration and has no peer: memory, work, traffic. */
export interface Quantity {
  readonly bench: string;
  readonly value: number;
  readonly unit: string;
}

export interface Measured {
  readonly bench: string;
  readonly ours: readonly number[];
  readonly peer?: { readonly name: string; readonly samples: readonly number[] };
  readonly limit?: number;
}

/** The smallest sample that at least `percent` of all samples do not exceed (nearest rank). Throws without samples. */
export function percentile(samples: readonly number[], percent: number): number {
  const sorted = samples.toSorted((a, b) => a - b);
  const value = sorted[Math.max(0, Math.ceil((percent / 100) * sorted.length) - 1)];
  if (value === undefined) throw new RangeError('a percentile needs samples');
  return value;
}

export function figureOf({ bench, ours, peer, limit }: Measured): Figure {
  const p50 = percentile(ours, 50);
  const peerP50 = peer === undefined ? null : percentile(peer.samples, 50);
  const ratio = peerP50 === null ? null : p50 / peerP50;
  return {
    bench,
    n: ours.length,
    p50_ms: rounded(p50),
    p99_ms: rounded(percentile(ours, 99)),
    peer: peer?.name ?? null,
    peer_n: peer?.samples.length ?? null,
    peer_p50_ms: peerP50 === null ? null : rounded(peerP50),
    peer_p99_ms: peer === undefined ? null : rounded(percentile(peer.samples, 99)),
    ratio: ratio === null ? null : rounded(ratio),
    limit: limit ?? null,
    ok: ratio === null || limit === undefined ? null : ratio <= limit,
  };
}

/** Three decimals: microseconds, and per mille of a ratio. */
function rounded(value: number): number {
  return Math.round(value * 1_000) / 1_000;
}
