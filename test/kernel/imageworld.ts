/** The image engine on a small real pool of each kind, and what tests do with its volumes. */
import { mkdtemp, open, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect } from 'vitest';
import { storageSchema } from '../../csi/config.ts';
import type { Engine } from '../../csi/engine.ts';
import { imageEngine } from '../../csi/imageengine.ts';
import { realKernel } from '../../csi/kernel.ts';
import { newObjectId } from '../../csi/objectid.ts';
import { openPool } from '../../csi/pool.ts';
import type { Pool } from '../../csi/pool.ts';
import type { SnapshotRecord } from '../../csi/snapshot.ts';
import type { VolumeRecord } from '../../csi/volume.ts';
import { deviceBytes } from '../../linux/blockdevice.ts';
import { makeScratchPool } from './scratchpool.ts';
import type { ScratchPool } from './scratchpool.ts';
import { makeSharedFolder } from './sharedfolder.ts';
import type { SharedFolder } from './sharedfolder.ts';

export const MiB = 1024n * 1024n;
export const filesystems = ['xfs', 'ext4', 'btrfs'] as const;
export const types = [...filesystems, 'block'] as const;

const least = { xfs: 300n * MiB, ext4: 64n * MiB, btrfs: 256n * MiB, block: 16n * MiB } as const;
const created = '2026-01-01T00:00:00.000Z';
const passBy = (): void => undefined;

type Type = (typeof types)[number];
type PoolType = (typeof filesystems)[number];

class ImageWorld {
  readonly kernel = realKernel();
  /** Volumes of the case; they are removed after it. */
  readonly made: VolumeRecord[] = [];
  #shared: SharedFolder | undefined;
  #scratch: ScratchPool | undefined;
  #pool: Pool | undefined;
  #engine: Engine | undefined;
  #folder = '';
  #atPoint: (point: string) => void = passBy;

  get pool(): Pool {
    if (this.#pool === undefined) throw new Error('the pool is not open yet');
    return this.#pool;
  }

  get engine(): Engine {
    if (this.#engine === undefined) throw new Error('the engine has not started yet');
    return this.#engine;
  }

  async open(type: PoolType): Promise<void> {
    this.#shared = await makeSharedFolder();
    this.#scratch = await makeScratchPool(type, 3 * 2 ** 30);
    const { pools } = storageSchema.parse({ pools: [{ name: 'p', path: join(this.#scratch.path, 'berth') }] });
    for (const config of pools) this.#pool = await openPool(config, 'node-a');
    this.#engine = await this.startEngine();
  }

  async close(): Promise<void> {
    await this.#pool?.close();
    await this.#scratch?.close();
    await this.#shared?.close();
  }

  async begin(): Promise<void> {
    this.#folder = await mkdtemp(join(this.#shared?.path ?? '', 'case-'));
    // Where a case before has filled a btrfs, its cleaner takes a moment to make room again.
    const room = join(this.pool.path, 'room');
    await expect.poll(() => writeFile(room, Buffer.alloc(1 << 20)), { timeout: 60_000 }).toBeUndefined();
    await rm(room);
  }

  async end(): Promise<void> {
    this.#atPoint = passBy;
    const { mounts } = this.kernel;
    const mine = (await mounts.list()).filter(({ mountPoint }) => mountPoint.startsWith(`${this.#folder}/`));
    for (const { mountPoint } of mine.reverse()) await mounts.unmount(mountPoint);
    for (const volume of this.made.splice(0)) await this.#whenFree(() => this.engine.discard(volume));
    const { snapshots } = this.pool.folders;
    for (const file of await readdir(snapshots)) await rm(join(snapshots, file));
    await this.engine.emptyTrash(() => true);
    await rm(this.#folder, { recursive: true });
  }

  /** Another engine on the same pool, as after a restart. */
  async startEngine(): Promise<Engine> {
    const atPoint = (point: string): void => {
      this.#atPoint(point);
    };
    return await imageEngine({ ...this.kernel, folders: this.pool.folders, atPoint });
  }

  /** Runs the work, which breaks off at the point, as a crash would end it there. */
  async breakOff(point: string, work: () => Promise<void>): Promise<void> {
    this.#atPoint = (at) => {
      if (at === point) throw new Error('broken off');
    };
    await expect(work()).rejects.toThrow('broken off');
    this.#atPoint = passBy;
  }

  /** A record of which there is nothing yet. */
  volumeOf(type: Type, changes: Partial<VolumeRecord> = {}): VolumeRecord {
    const id = newObjectId('volume', this.pool.id, Date.now());
    const volume: VolumeRecord = {
      id,
      name: id,
      state: 'ready',
      bytes: least[type],
      use: type === 'block' ? { kind: 'block' } : { kind: 'filesystem', type, uuid: crypto.randomUUID() },
      provisioning: 'thick',
      parameters: {},
      mutable: {},
      family: id,
      createdAt: created,
      ...changes,
    };
    this.made.push(volume);
    return volume;
  }

  async make(type: Type, changes: Partial<VolumeRecord> = {}): Promise<VolumeRecord> {
    const volume = this.volumeOf(type, changes);
    await this.engine.create(volume);
    return volume;
  }

  async copyOf(source: VolumeRecord | SnapshotRecord, changes: Partial<VolumeRecord> = {}): Promise<VolumeRecord> {
    const { bytes, use, family } = source;
    const volume = this.volumeOf('block', { bytes, use, family, ...changes });
    await this.engine.create(volume, source);
    return volume;
  }

  /** As the manager takes it: everything held still meanwhile. */
  async snapshotOf(volume: VolumeRecord): Promise<SnapshotRecord> {
    const { bytes, use, family } = volume;
    const id = newObjectId('snapshot', this.pool.id, Date.now());
    const common = { id, name: id, state: 'ready', sourceId: volume.id, reserved: true, createdAt: created } as const;
    const snapshot: SnapshotRecord = { ...common, bytes, use, family };
    await this.engine.freeze(volume);
    try {
      await this.engine.snapshot(volume, snapshot);
    } finally {
      await this.engine.thaw(volume);
    }
    return snapshot;
  }

  /** Stages the volume; where a pod reads and writes it: a file, or the device. */
  async stage(volume: VolumeRecord): Promise<string> {
    const place = await mkdtemp(join(this.#folder, 'staging-'));
    await this.engine.stage(volume, place, []);
    return volume.use.kind === 'filesystem' ? join(place, 'file') : await this.deviceOf(volume);
  }

  /** Unmounts and detaches. */
  async unstage(volume: VolumeRecord): Promise<void> {
    for (const { path } of (await this.engine.look(volume)).places) await this.engine.unmount(path);
    await this.#whenFree(() => this.engine.detach(volume));
  }

  imageOf({ id }: { readonly id: string }): string {
    const { images, snapshots } = this.pool.folders;
    return join(id.startsWith('s') ? snapshots : images, `${id}.img`);
  }

  async deviceOf(volume: VolumeRecord): Promise<string> {
    const device = await this.kernel.loops.find(this.imageOf(volume));
    if (device === undefined) throw new Error('the volume is not attached');
    return device.path;
  }

  async allocatedBytes(object: { readonly id: string }): Promise<bigint> {
    return (await stat(this.imageOf(object), { bigint: true })).blocks * 512n;
  }

  /** Size of the staged volume's filesystem, or of its device. */
  async shownBytes(volume: VolumeRecord): Promise<bigint> {
    if (volume.use.kind === 'block') return await deviceBytes(await this.deviceOf(volume));
    const [place] = (await this.engine.look(volume)).places;
    return (await this.kernel.filesystems.usage(place?.path ?? '')).bytes.total;
  }

  /** Waits for mount namespaces that somebody makes at this moment: they hold copies of our mounts until they have their root. */
  async #whenFree(work: () => Promise<void>): Promise<void> {
    await expect.poll(work, { timeout: 45_000 }).toBeUndefined();
  }
}

/** Declares the cases once for each kind of pool; the world is open inside of cases only. */
export function onEachPool(cases: (world: ImageWorld, type: PoolType) => void): void {
  describe.each(filesystems)('on a pool of %s', (type) => {
    const world = new ImageWorld();
    beforeAll(() => world.open(type));
    afterAll(() => world.close());
    beforeEach(() => world.begin());
    afterEach(() => world.end());
    cases(world, type);
  });
}

/** Writes durably: to a device at the offset, to a file at its end. */
export async function write(path: string, text: string, offset = 0): Promise<void> {
  const isDevice = path.startsWith('/dev/');
  const file = await open(path, isDevice ? 'r+' : 'a+');
  try {
    await file.write(text, isDevice ? offset : null);
    await file.sync();
  } finally {
    await file.close();
  }
}

export async function read(path: string, length: number): Promise<string> {
  const file = await open(path, 'r');
  try {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(length), 0, length, 0);
    return buffer.toString('latin1', 0, bytesRead);
  } finally {
    await file.close();
  }
}
