/** Decides type and size of a new volume, and whether an existing one is what a repeated request asks for. */
import { BerthError } from '../kit/errors.ts';
import type { FilesystemType } from '../linux/filesystem.ts';
import { formatBytes } from './quantity.ts';
import { defaultBytes, defaultFsType, describeUse, minimumBytes, sectorBytes } from './volume.ts';
import type { CapacityRange, VolumeRecord, WantedUse } from './volume.ts';

export interface NewVolume {
  readonly name: string;
  /** Undefined: the default size. */
  readonly range: CapacityRange | undefined;
  /** At least one. */
  readonly uses: readonly WantedUse[];
  readonly parameters: Readonly<Record<string, string>>;
}

/** What several capabilities have in common: raw block, or one filesystem. Throws INVALID_ARGUMENT when they contradict. */
export function commonUse(uses: readonly WantedUse[]): {
  readonly kind: 'block' | 'filesystem';
  readonly type?: FilesystemType;
} {
  const kinds = new Set(uses.map((use) => use.kind));
  if (kinds.size > 1) {
    throw new BerthError(
      'INVALID_ARGUMENT',
      'a volume is either raw block or a filesystem; the capabilities ask for both',
    );
  }
  if (kinds.has('block')) return { kind: 'block' };
  const types = new Set(uses.flatMap((use) => use.fsType ?? []));
  if (types.size > 1) {
    throw new BerthError(
      'INVALID_ARGUMENT',
      `a volume has one filesystem; the capabilities ask for ${[...types].join(' and ')}`,
    );
  }
  return { kind: 'filesystem', type: [...types][0] ?? defaultFsType };
}

/** The size of a new volume. Throws OUT_OF_RANGE below the minimum or when no whole number of sectors is within limits. */
export function sizeOf(
  range: CapacityRange | undefined,
  use: { readonly kind: string; readonly type?: FilesystemType },
): bigint {
  const minimum = minimumBytes[use.type ?? 'block'];
  const required = range?.required ?? 0n;
  const limit = range?.limit ?? 0n;
  const noMinimum = required === 0n;
  const wished = !noMinimum
    ? required
    : limit > 0n && limit < defaultBytes
      ? (limit / sectorBytes) * sectorBytes
      : defaultBytes;
  const bytes = ((wished + sectorBytes - 1n) / sectorBytes) * sectorBytes;
  if (bytes < minimum) {
    const what = describeUse({ kind: use.kind, ...(use.type === undefined ? {} : { type: use.type }) });
    const other = use.type === 'xfs' ? ` or use ext4 (from ${formatBytes(minimumBytes.ext4)})` : '';
    throw new BerthError(
      'OUT_OF_RANGE',
      `${formatBytes(bytes)} is too small: a ${what} volume has at least ${formatBytes(minimum)}; ask for more${other}`,
    );
  }
  if (limit > 0n && bytes > limit) {
    throw new BerthError(
      'OUT_OF_RANGE',
      `no multiple of ${sectorBytes} bytes lies between ${required} and ${limit} bytes`,
    );
  }
  if (bytes > 1n << 62n) throw new BerthError('OUT_OF_RANGE', `${required} bytes are more than a file can have`);
  return bytes;
}

/** Undefined when the volume answers the request, else what differs, for ALREADY_EXISTS. */
export function differenceTo(volume: VolumeRecord, request: NewVolume): string | undefined {
  const { required, limit } = request.range ?? { required: 0n, limit: 0n };
  if (volume.bytes < required) return `it has ${formatBytes(volume.bytes)}, at least ${formatBytes(required)} asked`;
  if (limit > 0n && volume.bytes > limit)
    return `it has ${formatBytes(volume.bytes)}, at most ${formatBytes(limit)} asked`;
  for (const use of request.uses) {
    const asked = use.kind === 'block' ? 'raw block' : use.fsType;
    const kindDiffers = use.kind !== volume.use.kind;
    if (kindDiffers || (asked !== undefined && asked !== describeUse(volume.use))) {
      return `it is ${describeUse(volume.use)}, ${asked ?? 'a filesystem'} asked`;
    }
  }
  const keys = new Set([...Object.keys(volume.parameters), ...Object.keys(request.parameters)]);
  for (const key of keys) {
    if (volume.parameters[key] !== request.parameters[key]) return `parameter "${key}" differs`;
  }
  return undefined;
}
