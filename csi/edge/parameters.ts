/** The parameters of a StorageClass: a closed list. What csi-provisioner adds about the claim is accepted and not kept. */
import type { FsType } from '../volume.ts';
import { isFsType, unknownFsType } from './capability.ts';
import { invalid } from './fields.ts';

const known = ['pool'] as const;
/** csi-provisioner puts it into the capability; other COs send it as it is. */
const fsTypeKey = 'csi.storage.k8s.io/fstype';

export interface VolumeParameters {
  /** The pool a volume must be made in; undefined: any. */
  readonly pool: string | undefined;
  /** For capabilities that name none. */
  readonly fsType: FsType | undefined;
}

/** Keys csi-provisioner sets (`csi.storage.k8s.io/pvc/name` and others) describe the claim, not the volume. */
function isMetadata(key: string): boolean {
  return key.startsWith('csi.storage.k8s.io/');
}

/** Throws INVALID_ARGUMENT for a key that is not in the list. */
export function decodeParameters(parameters: Readonly<Record<string, string>>): VolumeParameters {
  for (const key of Object.keys(parameters)) {
    if (isMetadata(key) || (known as readonly string[]).includes(key)) continue;
    const allowed = `${known.join(', ')} and ${fsTypeKey}`;
    throw invalid(`parameter ${JSON.stringify(key.slice(0, 64))} is unknown; a StorageClass may set ${allowed}`);
  }
  const fsType = parameters[fsTypeKey] ?? '';
  if (fsType !== '' && !isFsType(fsType)) throw invalid(unknownFsType(fsType));
  return { pool: parameters['pool'], fsType: fsType === '' ? undefined : fsType };
}
