/** Spans of time as a configuration writes them: `24h`, `7d`, `1h30m`. */

const units = { d: 86_400_000, h: 3_600_000, m: 60_000, s: 1_000 } as const;

/** The milliseconds of whole days, hours, minutes and seconds in that order, or undefined when it is no such text. `0` is one. */
export function parseDuration(text: string): number | undefined {
  if (text === '0') return 0;
  const [whole, d, h, m, s] = /^(?:(\d{1,5})d)?(?:(\d{1,7})h)?(?:(\d{1,7})m)?(?:(\d{1,7})s)?$/.exec(text) ?? [];
  if (whole === undefined || whole === '') return undefined;
  const part = (count: string | undefined, unit: number): number => Number(count ?? 0) * unit;
  return part(d, units.d) + part(h, units.h) + part(m, units.m) + part(s, units.s);
}
