/** VolumeCapability of a request as what the rooms inside work with, and back out as refusals. */
import { quote } from '../../kit/quote.ts';
import type { VolumeCapability__Output } from '../../protos/types/csi/v1/VolumeCapability.ts';
import { accessModes, fsTypes } from '../volume.ts';
import type { AccessMode, FsType, WantedUse } from '../volume.ts';
import { invalid } from './fields.ts';
import { checkMountFlags } from './mountflags.ts';

/** Well-formed, perhaps unsupported: `reason` says why. */
export type DecodedUse = WantedUse | { readonly reason: string };

/** Whether some engine has it; the pool's may not. */
export function isFsType(text: string): text is FsType {
  return (fsTypes as readonly string[]).includes(text);
}

export function unknownFsType(text: string): string {
  return `filesystem ${quote(text, 32)} is not supported; use ${fsTypes.join(' or ')}`;
}

/** Throws INVALID_ARGUMENT when the capability is incomplete or makes no sense. */
export function decodeCapability(capability: VolumeCapability__Output): DecodedUse {
  // An enum value of a later specification arrives as a number.
  const mode: string | number | undefined = capability.access_mode?.mode;
  if (mode === undefined || mode === 'UNKNOWN') throw invalid('volume_capability.access_mode is missing');
  const { mount } = capability;
  if (capability.access_type === undefined) throw invalid('volume_capability sets neither block nor mount');
  if (mount) checkMountFlags(mount.mount_flags);
  const known = accessModes.find((name) => name === mode);
  if (known === undefined) {
    return { reason: `access mode ${mode} is not supported: a volume of this driver lives on one node` };
  }
  return capability.access_type === 'block' ? block(known) : filesystem(known, mount);
}

function block(mode: AccessMode): WantedUse {
  return { kind: 'block', fsType: undefined, mountFlags: [], mode };
}

function filesystem(mode: AccessMode, mount: VolumeCapability__Output['mount']): DecodedUse {
  const fsType = mount?.fs_type ?? '';
  if (mount && mount.volume_mount_group !== '') return { reason: 'volume_mount_group is not supported' };
  if (fsType !== '' && !isFsType(fsType)) {
    return {
      reason: `filesystem ${quote(fsType, 32)} is not supported; use ${fsTypes.join(' or ')}`,
    };
  }
  return { kind: 'filesystem', fsType: fsType === '' ? undefined : fsType, mountFlags: mount?.mount_flags ?? [], mode };
}

/** Throws INVALID_ARGUMENT also for what is well-formed but unsupported. */
export function requireUse(capability: VolumeCapability__Output | null): WantedUse {
  if (capability === null) throw invalid('volume_capability is missing');
  const use = decodeCapability(capability);
  if ('reason' in use) throw invalid(use.reason);
  return use;
}
