/** Pages of a list: sorted by ID, the token is the last ID of the page before. So it stays right when entries come and go. */
import { BerthError } from '../../kit/errors.ts';
import { quote } from '../../kit/quote.ts';
import { poolOf } from '../objectid.ts';
import type { ObjectKind } from '../objectid.ts';
import { invalid } from './fields.ts';

/** A message of more entries would come near the 4 MiB a client takes. */
const mostEntries = 5_000;

export interface Page<T> {
  readonly entries: readonly T[];
  /** Empty after the last page. */
  readonly next_token: string;
}

/** Throws BUSY (CSI: ABORTED, "start again") for a token that was never one, INVALID_ARGUMENT for a negative number. */
export function pageOf<T extends { readonly id: string }>(
  all: readonly T[],
  { kind, max, token }: { readonly kind: ObjectKind; readonly max: number; readonly token: string },
): Page<T> {
  if (max < 0) throw invalid('max_entries is negative');
  if (token !== '' && poolOf(kind, token) === undefined)
    throw new BerthError('BUSY', `starting_token ${quote(token)} is none of ours; list from the start`);
  const sorted = all.filter(({ id }) => id > token).sort((a, b) => (a.id < b.id ? -1 : 1));
  const entries = sorted.slice(0, max === 0 ? mostEntries : Math.min(max, mostEntries));
  return { entries, next_token: entries.length < sorted.length ? (entries.at(-1)?.id ?? '') : '' };
}
