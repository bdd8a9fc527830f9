/** The I/O limits of a volume as its mutable parameters say them (a VolumeAttributesClass): `iops.read: "500"`, `bps.write: 20Mi`. */
import { BerthError } from '../kit/errors.ts';
import { quote } from '../kit/quote.ts';
import type { BlockLimits } from '../linux/blockcgroup.ts';
import { nearest } from './nearest.ts';
import { formatBytes, MiB, parseQuantity } from './quantity.ts';

const keys = {
  'iops.read': 'riops',
  'iops.write': 'wiops',
  'bps.read': 'rbps',
  'bps.write': 'wbps',
} as const;
type Key = keyof typeof keys;
const known = Object.keys(keys) as [Key, ...Key[]];

/**
 * What a limit can be. Below, a pod's writes could take longer to reach the disk than whoever waits for them is willing to (the
 * node's `sync`, an unmount): this is what a floppy disk did. Above, somebody has mistaken the unit.
 */
const bounds = { iops: { least: 100n, most: 10_000_000n }, bps: { least: MiB, most: 1n << 40n } } as const;

function invalid(message: string): BerthError {
  return new BerthError('INVALID_ARGUMENT', message);
}

function limitOf(key: Key, value: string): bigint | undefined {
  if (value === '0' || value === 'max') return undefined;
  const isCount = key.startsWith('iops');
  const { least, most } = isCount ? bounds.iops : bounds.bps;
  const number = isCount ? (/^\d{1,18}$/.test(value) ? BigInt(value) : undefined) : parseQuantity(value);
  const shown = quote(value, 32);
  if (number === undefined) {
    const form = isCount ? 'an integer such as "500"' : 'a quantity such as "20Mi"';
    throw invalid(`mutable parameter "${key}" is ${shown}; expected ${form}, or "0" or "max" for no limit`);
  }
  if (number >= least && number <= most) return number;
  const range = isCount ? `${least} to ${most}` : `${formatBytes(least)} to ${formatBytes(most)}`;
  throw invalid(`mutable parameter "${key}" is ${shown}; a limit is ${range} a second, and "0" or "max" takes it off`);
}

/** The limits that mutable parameters ask for. Throws INVALID_ARGUMENT for anything else in them. */
export function parseIoLimits(mutable: Readonly<Record<string, string>>): BlockLimits {
  const limits: Partial<Record<(typeof keys)[Key], bigint>> = {};
  for (const [text, value] of Object.entries(mutable)) {
    const key = known.find((each) => each === text);
    if (key === undefined) {
      const unknown = `mutable parameter ${quote(text)} is unknown`;
      throw invalid(
        `${unknown}; did you mean "${nearest(text, known)}"? A VolumeAttributesClass may set ${known.join(', ')}`,
      );
    }
    const limit = limitOf(key, value);
    if (limit !== undefined) limits[keys[key]] = limit;
  }
  return limits;
}

/** Whether any is set. */
export function hasLimits(limits: BlockLimits): boolean {
  return Object.values(limits).some((limit) => limit !== undefined);
}
