/** What an engine does for the volume manager: it keeps the bytes of volumes and shows them at paths. It decides nothing. */
import type { VolumeRecord } from './volume.ts';

/** Where a volume is now, read from the kernel and not from memory. */
export interface Placement {
  /** True while the volume's bytes are attached to the kernel (for `image`: to a loop device). */
  readonly attached: boolean;
  /** Paths the volume is shown at; a path mounted twice is there twice. */
  readonly places: readonly { readonly path: string; readonly readonly: boolean }[];
}

export interface Engine {
  /** Makes the volume's bytes, durable when it returns. On failure a part may remain, which `discard` removes. */
  create(volume: VolumeRecord): Promise<void>;
  /** Removes what an unfinished `create` left, in one go: nobody has seen it. */
  discard(volume: VolumeRecord): Promise<void>;
  /** Takes the bytes out of use durably; repeatable. Throws BUSY when the kernel still uses them. */
  moveToTrash(volume: VolumeRecord): Promise<void>;
  /** Frees the space of everything in the trash. */
  emptyTrash(): Promise<void>;
  look(volume: VolumeRecord): Promise<Placement>;
  /** Attaches the volume and, for a filesystem, mounts it at the existing folder. On failure it undoes what it did. */
  stage(volume: VolumeRecord, folder: string, mountFlags: readonly string[]): Promise<void>;
  /** Takes one mount off the path. */
  unmount(path: string): Promise<void>;
  /** Detaches the volume; it is mounted nowhere any more. Throws BUSY when something keeps it. */
  detach(volume: VolumeRecord): Promise<void>;
  /** Shows the staged volume also at the target: a folder, or for raw block a file. */
  publish(volume: VolumeRecord, request: { staging: string; target: string; readonly: boolean }): Promise<void>;
  /** Size of the volume's bytes on disk, or undefined when they are missing. */
  sizeOf(volume: VolumeRecord): Promise<bigint | undefined>;
  /** Files among the engine's own that belong to no volume of the list: reported, never removed. */
  strangers(volumes: readonly VolumeRecord[]): Promise<readonly { readonly file: string; readonly bytes: bigint }[]>;
}
