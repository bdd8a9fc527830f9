/** Where a volume in an image is now: its loop device and the mounts that show it. Read from the kernel each time. */
import type { LoopDevice, LoopDevices } from '../../linux/loop.ts';
import type { Mounts } from '../../linux/mount.ts';
import type { MountEntry } from '../../linux/mountinfo.ts';
import type { Placement, VolumeDevice } from '../engine.ts';
import { missingIsUndefined } from '../missing.ts';
import type { VolumeRecord } from '../volume.ts';
import type { Images } from './images.ts';

/** The device and what shows it, in the order of mounting. */
export interface Attachment {
  readonly device: LoopDevice;
  readonly mounts: readonly MountEntry[];
}

interface AttachmentParts {
  readonly images: Images;
  readonly loops: LoopDevices;
  readonly mounts: Pick<Mounts, 'list' | 'listNow'>;
}

/** A mount shows the device if its filesystem lies on it, or if it is a bind of the device's node. */
function shows(mount: MountEntry, { use }: VolumeRecord, device: LoopDevice): boolean {
  if (use.kind === 'block') {
    return mount.root === `/loop${device.number}` && (mount.fsType === 'devtmpfs' || mount.fsType === 'tmpfs');
  }
  // btrfs has device numbers of its own, which lead nowhere. Its source is the path that the kernel has opened.
  return use.type === 'btrfs'
    ? mount.fsType === 'btrfs' && mount.source === device.path
    : mount.device === device.device;
}

/** Undefined when the volume is not attached, or its image is missing. What only `listNow` is sure to show has to be asked for. */
export async function attachmentOf(
  volume: VolumeRecord,
  { images, loops, mounts }: AttachmentParts,
  look: 'list' | 'listNow' = 'list',
): Promise<Attachment | undefined> {
  const device = await missingIsUndefined(loops.find(images.of(volume)));
  if (device === undefined) return undefined;
  return { device, mounts: (await mounts[look]()).filter((mount) => shows(mount, volume, device)) };
}

export function deviceOf({ number, device, directIo }: LoopDevice): VolumeDevice {
  return { number: device, name: `loop${number}`, directIo };
}

export function placementOf(attachment: Attachment | undefined, { use }: Pick<VolumeRecord, 'use'>): Placement {
  if (attachment === undefined) return { attached: false, places: [] };
  const { device, mounts } = attachment;
  return {
    attached: true,
    device: deviceOf(device),
    // Where a device node is shown, that is /dev's.
    mount: use.kind === 'filesystem' ? mounts[0]?.id : undefined,
    places: mounts.map(({ mountPoint, options }) => ({ path: mountPoint, readonly: options.includes('ro') })),
  };
}
