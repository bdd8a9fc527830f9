/** The parameters of classes: closed lists. What the sidecars add is accepted, and of it only the claim kept. */
import { quote } from '../../kit/quote.ts';
import type { ClaimName, FsType } from '../volume.ts';
import { isFsType, unknownFsType } from './capability.ts';
import { invalid } from './fields.ts';

/** csi-provisioner puts it into the capability; other COs send it as it is. */
const fsTypeKey = 'csi.storage.k8s.io/fstype';

export interface VolumeParameters {
  /** The pool a volume must be made in; undefined: any. */
  readonly pool: string | undefined;
  /** For capabilities that name none. */
  readonly fsType: FsType | undefined;
  readonly provisioning: 'thick' | 'thin';
  /** Those of our own, for comparing a repeated request. */
  readonly own: Readonly<Record<string, string>>;
}

/** Keys the sidecars set (`csi.storage.k8s.io/pvc/name` and others) describe the claim, not the volume. */
function isMetadata(key: string): boolean {
  return key.startsWith('csi.storage.k8s.io/');
}

/** The parameters of ours; throws INVALID_ARGUMENT for a key that is not in the list, with the one that was perhaps meant. */
function ownOf(
  parameters: Readonly<Record<string, string>>,
  known: readonly string[],
  whose: string,
): Readonly<Record<string, string>> {
  const own = Object.entries(parameters).filter(([key]) => !isMetadata(key));
  for (const [key] of own) {
    if (known.includes(key)) continue;
    throw invalid(`parameter ${quote(key)} is unknown; a ${whose} may set ${known.join(', ')}`);
  }
  return Object.fromEntries(own);
}

function choiceOf<T extends string>(key: string, value: string | undefined, choices: readonly T[]): T | undefined {
  const found = choices.find((choice) => choice === value);
  if (value === undefined || found !== undefined) return found;
  throw invalid(`parameter ${key} is ${quote(value)}; it may be ${choices.join(' or ')}`);
}

/** Parameters of a StorageClass. */
export function decodeParameters(parameters: Readonly<Record<string, string>>): VolumeParameters {
  const own = ownOf(parameters, ['pool', 'provisioning'], `StorageClass (besides ${fsTypeKey})`);
  const fsType = parameters[fsTypeKey] ?? '';
  if (fsType !== '' && !isFsType(fsType)) throw invalid(unknownFsType(fsType));
  return {
    pool: own['pool'],
    fsType: fsType === '' ? undefined : fsType,
    provisioning: choiceOf('provisioning', own['provisioning'], ['thick', 'thin']) ?? 'thick',
    own,
  };
}

/** Parameters of a VolumeSnapshotClass or VolumeGroupSnapshotClass. */
export function decodeSnapshotParameters(parameters: Readonly<Record<string, string>>): {
  /** Whether space is kept for all of the snapshot; undefined: as its source's space is. */
  readonly reserved: boolean | undefined;
} {
  const own = ownOf(parameters, ['reserve'], 'VolumeSnapshotClass');
  const reserve = choiceOf('reserve', own['reserve'], ['full', 'none']);
  return { reserved: reserve === undefined ? undefined : reserve === 'full' };
}

/** The claim a volume is made for, as csi-provisioner tells with --extra-create-metadata; undefined when nobody does. */
export function claimOf(parameters: Readonly<Record<string, string>>): ClaimName | undefined {
  const namespace = parameters['csi.storage.k8s.io/pvc/namespace'] ?? '';
  const name = parameters['csi.storage.k8s.io/pvc/name'] ?? '';
  return namespace === '' || name === '' ? undefined : { namespace, name };
}
