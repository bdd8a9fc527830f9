/** Kubernetes quantities as numbers, for comparing and telling; not exact beyond 2^53. */

const factors: Readonly<Record<string, number>> = {
  ...{ n: 1e-9, u: 1e-6, m: 1e-3, '': 1, k: 1e3, M: 1e6, G: 1e9, T: 1e12, P: 1e15, E: 1e18 },
  ...{ Ki: 2 ** 10, Mi: 2 ** 20, Gi: 2 ** 30, Ti: 2 ** 40, Pi: 2 ** 50, Ei: 2 ** 60 },
};

/** `64Mi`, `1e3`, `0.5`; undefined for what is none. */
export function bytesOf(quantity: string): number | undefined {
  const found = /^([+-]?\d+(?:\.\d*)?(?:[eE][+-]?\d+)?)([A-Za-z]*)$/.exec(quantity.trim());
  const factor = factors[found?.[2] ?? 'none'];
  return found === null || factor === undefined ? undefined : Number(found[1]) * factor;
}
