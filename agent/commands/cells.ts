/** What the tables of `berth get` have in common: how a cell is written. */

export interface TableOptions {
  readonly wide: boolean;
  /** Milliseconds since 1970. */
  readonly now: number;
}

/** A table before it is text; every row has as many cells as there are headings. */
export interface Sheet {
  readonly headings: readonly string[];
  readonly rows: readonly (readonly string[])[];
}

/** Makes the tables, mostly one, of items as the agent sent them. */
export type Table = (items: readonly unknown[], options: TableOptions) => readonly Sheet[];

export function orNone(text: string): string {
  return text === '' ? '<none>' : text;
}

/** A time span as kubectl writes it, with one unit: 45s, 12m, 7h, 3d. */
export function ageText(ms: number): string {
  const seconds = Math.max(0, Math.floor(ms / 1_000));
  if (seconds < 120) return `${seconds}s`;
  if (seconds < 7_200) return `${Math.floor(seconds / 60)}m`;
  return seconds < 172_800 ? `${Math.floor(seconds / 3_600)}h` : `${Math.floor(seconds / 86_400)}d`;
}

/** Bytes as a Kubernetes quantity, rounded down to one digit after the point: 512Mi, 1.5Gi. */
export function sizeText(bytes: number | null): string {
  if (bytes === null) return '<unknown>';
  const power = bytes < 1024 ? 0 : Math.min(5, Math.floor(Math.log2(bytes) / 10));
  return `${Math.floor((bytes * 10) / 1024 ** power) / 10}${['', 'Ki', 'Mi', 'Gi', 'Ti', 'Pi'][power] ?? ''}`;
}
