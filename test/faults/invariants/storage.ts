/** Volumes: each loop device, mount, image and volume of the API has a record in its pool, and the reverse. Pure. */
import { differences, repeated } from './compare.ts';

export interface VolumeRecordState {
  readonly file: string;
  /** Undefined when the file is no record. */
  readonly volume: { readonly id: string; readonly state: string; readonly bytes: number } | undefined;
}

/** The pool of one node. Loop devices belong to the whole machine: those listed are on images of this pool. */
export interface NodeStorage {
  readonly name: string;
  readonly records: readonly VolumeRecordState[];
  /** `bytes` as its name says it is long, `allocated` as it has on the disk. */
  readonly images: readonly { readonly file: string; readonly bytes: number; readonly allocated: number }[];
  readonly trash: readonly string[];
  readonly loops: readonly { readonly device: string; readonly image: string }[];
  /** What the agent has staged and published of a volume, by its files on tmpfs. */
  readonly uses: readonly { readonly id: string; readonly paths: readonly string[] }[];
  /** Mounts that the kubelet asked this driver for, with their device or filesystem. */
  readonly mounts: readonly { readonly path: string; readonly source: string }[];
  /** Size of the pool's filesystem in bytes. */
  readonly size: number;
  /** What the agent says is promised, in bytes; undefined when it does not answer. */
  readonly reserved: number | undefined;
}

/** `handles`: the volumes that the API server knows, on whatever node. */
export function volumeViolations(nodes: readonly NodeStorage[], handles: readonly string[]): readonly string[] {
  const images = nodes.flatMap((node) => node.images.map(({ file }) => idOf(file, '.img')));
  return differences('persistent volume', handles, 'image', images);
}

export function storageViolations(node: NodeStorage): readonly string[] {
  const volumes = node.records.flatMap(({ volume }) => volume ?? []);
  const ids = new Set(volumes.map(({ id }) => id));
  const sum = volumes.reduce((total, { bytes }) => total + bytes, 0);
  const images = node.loops.map(({ image }) => image);
  return [
    ...node.records.flatMap(({ file, volume }) => {
      if (volume === undefined) return [`${file} is no record of a volume`];
      return file === `${volume.id}.json` ? [] : [`${file} has the record of ${volume.id}`];
    }),
    ...volumes.filter(({ state }) => state !== 'ready').map(({ id, state }) => `volume ${id} is ${state}`),
    ...differences(
      'record',
      [...ids],
      'image',
      node.images.map(({ file }) => idOf(file, '.img')),
    ),
    ...volumes.flatMap(({ id, bytes }) => {
      const image = node.images.find(({ file }) => file === `${id}.img`);
      if (image === undefined) return [];
      const short = image.bytes !== bytes || image.allocated < bytes;
      return short
        ? [`the image of ${id} has ${image.bytes} bytes, ${image.allocated} allocated; its record has ${bytes}`]
        : [];
    }),
    ...node.trash.map((file) => `${file} lies in the trash`),
    ...(sum > node.size ? [`${sum} bytes are reserved in a pool of ${node.size}`] : []),
    ...reservedViolations(node.reserved, sum),
    ...repeated(images).map((image) => `two loop devices have ${image}`),
    ...differences(
      'a volume in use',
      node.uses.map(({ id }) => `${id}.img`),
      'loop device',
      [...new Set(images)],
    ),
    ...node.uses.filter(({ id }) => !ids.has(id)).map(({ id }) => `volume ${id} is in use and has no record`),
    ...mountViolations(node),
  ];
}

function reservedViolations(reserved: number | undefined, sum: number): readonly string[] {
  if (reserved === undefined) return ['the agent does not say how much of the pool is reserved'];
  return reserved === sum ? [] : [`the agent counts ${reserved} bytes as reserved, records have ${sum}`];
}

function mountViolations({ uses, mounts, loops }: NodeStorage): readonly string[] {
  const devices = new Set(loops.map(({ device }) => device));
  return [
    ...differences(
      'a use at',
      uses.flatMap(({ paths }) => paths),
      'mount',
      mounts.map(({ path }) => path),
    ),
    ...mounts
      .filter(({ source }) => source.startsWith('/dev/loop') && !devices.has(source))
      .map(({ path, source }) => `mount ${path} is of ${source}, which has no image of the pool`),
  ];
}

function idOf(file: string, suffix: string): string {
  return file.endsWith(suffix) ? file.slice(0, -suffix.length) : file;
}
