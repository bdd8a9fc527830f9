/** Gathers what `health.ts` decides on: one look at a pool, one at a volume. Cheap: for each volume in use it is asked every minute. */
import { constants } from 'node:fs';
import { access, open, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { errnoOf, messageOf } from '../kit/errors.ts';
import type { Filesystems } from '../linux/filesystem.ts';
import { countedErrors, deviceNameOf } from '../linux/filesystemerrors.ts';
import type { Mounts } from '../linux/mount.ts';
import { coveringMount } from '../linux/mountinfo.ts';
import type { Placement } from './engine.ts';
import type { PoolFacts, VolumeFacts } from './health.ts';
import type { Pool } from './pool.ts';
import type { PoolParts } from './poolparts.ts';
import type { VolumeRecord } from './volume.ts';

/** Why the folder is not the pool that was opened there, or undefined when it is. */
async function missingPool({ path, id }: Pick<Pool, 'path' | 'id'>): Promise<string | undefined> {
  try {
    const identity: unknown = JSON.parse(await readFile(join(path, 'pool.json'), 'utf8'));
    const same = typeof identity === 'object' && identity !== null && 'id' in identity && identity.id === id;
    return same ? undefined : `another pool lies in its folder`;
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return 'its folder has no pool.json, so its disk is not mounted';
    return `its pool.json cannot be read: ${errnoOf(error) ?? messageOf(error)}`;
  }
}

/** Root may write to everything, but not to a filesystem that is read-only. */
async function isReadonly(path: string): Promise<boolean> {
  return await access(path, constants.W_OK).then(
    () => false,
    (error: unknown) => errnoOf(error) === 'EROFS',
  );
}

/** The pool as it is now. Never rejects for a pool that is gone or ill: that is what it tells. */
export async function readPoolFacts(
  pool: Pick<Pool, 'name' | 'path' | 'id'>,
  { mounts, filesystems }: { readonly mounts: Mounts; readonly filesystems: Pick<Filesystems, 'usage'> },
): Promise<PoolFacts> {
  const { name, path } = pool;
  const gone = (missing: string): PoolFacts => ({
    name,
    missing,
    readonly: false,
    errors: 0n,
    total: 0n,
    available: 0n,
  });
  const missing = await missingPool(pool);
  if (missing !== undefined) return gone(missing);
  const mount = coveringMount(await mounts.listNow(), path);
  const stopped = mount?.superOptions.some((word) => ['ro', 'emergency_ro', 'shutdown'].includes(word)) ?? false;
  const device = mount === undefined ? undefined : await deviceNameOf(mount);
  const errors = mount === undefined || device === undefined ? 0n : await countedErrors(mount.fsType, device);
  const usage = await filesystems.usage(path).catch((error: unknown) => errnoOf(error) ?? messageOf(error));
  if (typeof usage === 'string') return gone(`its filesystem does not answer: ${usage}`);
  const { total, available } = usage.bytes;
  return { name, readonly: stopped || (await isReadonly(path)), errors, total, available };
}

/** XFS that has shut down says so only to who wants something of it. */
async function answers(folder: string): Promise<boolean> {
  try {
    await (await open(folder, constants.O_RDONLY | constants.O_DIRECTORY)).close();
    return true;
  } catch (error) {
    return errnoOf(error) !== 'EIO' && errnoOf(error) !== 'ESHUTDOWN';
  }
}

async function mountedOf(volume: VolumeRecord, placement: Placement, mounts: Mounts): Promise<VolumeFacts['mounted']> {
  const { mount, places, device } = placement;
  const [place] = places;
  if (volume.use.kind !== 'filesystem' || mount === undefined || place === undefined) return undefined;
  const options = (await mounts.listNow()).find(({ id }) => id === mount)?.superOptions;
  // It was taken off since.
  if (options === undefined) return undefined;
  const { type } = volume.use;
  const errors = device === undefined ? 0n : await countedErrors(type, device.name);
  return { options, answers: type !== 'xfs' || (await answers(place.path)), errors };
}

/** What is known around a volume. */
export interface VolumeSurroundings {
  readonly pool: PoolFacts;
  readonly mounts: Mounts;
  /** One that has just been looked at. */
  readonly placement?: Placement | undefined;
}

/** The volume as it is now. */
export async function readVolumeFacts(
  volume: VolumeRecord,
  { engine, nodeState }: Pick<PoolParts, 'engine' | 'nodeState'>,
  { pool, mounts, placement }: VolumeSurroundings,
): Promise<VolumeFacts> {
  const volatile = engine.offers.volatile;
  const { staged, published } = nodeState.of(volume.id);
  const nothing = { directIo: undefined, mounted: undefined, faulty: false };
  const common = {
    volume,
    pool,
    volatile,
    staged: staged !== undefined,
    writable:
      published.some(({ readonly }) => !readonly) ||
      (volume.ephemeral !== undefined && !staged?.mountFlags.includes('ro')),
  };
  if (pool.missing !== undefined) return { ...common, ...nothing, bytes: undefined, attached: false };
  const bytes = await engine.sizeOf(volume);
  const now = placement ?? (await engine.look(volume));
  const { attached, device } = now;
  const mounted = await mountedOf(volume, now, mounts);
  // Only for what is not known otherwise: it reads the superblock.
  const unsure = (volume.use.kind === 'filesystem' && mounted === undefined) || device?.directIo === false;
  const inspection = unsure ? await engine.inspect?.(volume) : undefined;
  return {
    ...common,
    bytes,
    attached,
    directIo: device && { on: device.directIo, possible: device.directIo || inspection?.canDirectIo === true },
    mounted,
    faulty: mounted === undefined && inspection?.faulty === true,
  };
}
