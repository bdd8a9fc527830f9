/** Decides type and size of a new volume, and whether an existing one is what a repeated request asks for. */
import { BerthError } from '../kit/errors.ts';
import type { EngineOffers } from './engine.ts';
import { formatBytes } from './quantity.ts';
import { defaultBytes, describeUse, sectorBytes } from './volume.ts';
import type { CapacityRange, ClaimName, ContentSource, FsType, VolumeRecord, VolumeType, WantedUse } from './volume.ts';

export interface NewVolume {
  readonly name: string;
  /** Undefined: the default size. */
  readonly range: CapacityRange | undefined;
  /** At least one. */
  readonly uses: readonly WantedUse[];
  readonly provisioning: 'thick' | 'thin';
  readonly parameters: Readonly<Record<string, string>>;
  readonly mutable: Readonly<Record<string, string>>;
  readonly source?: ContentSource | undefined;
  /** For people only. */
  readonly claim?: ClaimName | undefined;
  readonly ephemeral?: string | undefined;
}

/** What several capabilities have in common; undefined: some filesystem, the engine's choice. Throws INVALID_ARGUMENT when they contradict. */
export function commonType(uses: readonly WantedUse[]): VolumeType | undefined {
  const kinds = new Set(uses.map((use) => use.kind));
  if (kinds.size > 1) {
    throw new BerthError(
      'INVALID_ARGUMENT',
      'a volume is either raw block or a filesystem; the capabilities ask for both',
    );
  }
  if (kinds.has('block')) return 'block';
  const types = new Set(uses.flatMap((use) => use.fsType ?? []));
  if (types.size > 1) {
    throw new BerthError(
      'INVALID_ARGUMENT',
      `a volume has one filesystem; the capabilities ask for ${[...types].join(' and ')}`,
    );
  }
  return [...types][0];
}

/** The size of a new volume. Throws OUT_OF_RANGE below the minimum or when no whole number of sectors is within limits. */
export function sizeOf(range: CapacityRange | undefined, type: VolumeType, offers: EngineOffers): bigint {
  const minimum = offers.minimumOf(type);
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
    const what = type === 'block' ? 'raw block' : type;
    const other =
      type === 'xfs' && offers.types.includes('ext4')
        ? ` or use ext4 (from ${formatBytes(offers.minimumOf('ext4'))})`
        : '';
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

/** The type of a new volume in a pool. Throws INVALID_ARGUMENT when its engine does not have it. */
export function typeIn(offers: EngineOffers, wanted: VolumeType | undefined, pool: string): VolumeType {
  const type = wanted ?? offers.types.find((known): known is FsType => known !== 'block');
  if (type !== undefined && offers.types.includes(type)) return type;
  const asked = type === 'block' ? 'raw block' : (type ?? 'a filesystem');
  throw new BerthError(
    'INVALID_ARGUMENT',
    `pool "${pool}" makes ${offers.types.map((known) => (known === 'block' ? 'raw block' : known)).join(', ')} volumes, ${asked} asked; name another pool or csi.storage.k8s.io/fstype in the StorageClass`,
  );
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
  if (volume.source?.id !== request.source?.id) return 'it was made from another source';
  const changed = differingKey(volume.parameters, request.parameters) ?? differingKey(volume.mutable, request.mutable);
  return changed === undefined ? undefined : `parameter "${changed}" differs`;
}

function differingKey(a: Readonly<Record<string, string>>, b: Readonly<Record<string, string>>): string | undefined {
  return [...new Set([...Object.keys(a), ...Object.keys(b)])].find((key) => a[key] !== b[key]);
}
