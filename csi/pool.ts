/** A pool on disk: its folders, its identity (which travels with it) and the lock that makes one Berth its only user. */
import { mkdir, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { writeFileAtomic } from '../kit/durablefile.ts';
import { BerthError, errnoOf, messageOf } from '../kit/errors.ts';
import { readRegularFile } from '../kit/regularfile.ts';
import { lockFile } from '../linux/filelock.ts';
import type { PoolConfig } from './config.ts';
import { newPoolId, ownerOf } from './objectid.ts';
import { isLinkToNowhere } from './store.ts';

/** What `pool.json` holds. */
const identitySchema = z.strictObject({
  format: z.literal(1),
  /** 8 hexadecimal digits, a part of every volume ID. */
  id: z.string().regex(/^[0-9a-f]{8}$/),
  /** The node name when the pool was made: the topology of its volumes, also when the host is renamed later. */
  node: z.string().min(1),
});
type PoolIdentity = z.output<typeof identitySchema>;

export interface Pool {
  readonly name: string;
  readonly id: string;
  readonly node: string;
  readonly path: string;
  readonly folders: PoolFolders;
  /** Lets another process use the pool. */
  close(): Promise<void>;
}

export interface PoolFolders {
  /** One record per volume, snapshot and group. */
  readonly meta: string;
  /** The bytes of volumes. */
  readonly images: string;
  /** The bytes of snapshots. */
  readonly snapshots: string;
  /** Bytes of deleted volumes and snapshots on their way out. */
  readonly trash: string;
}

/** The folders of a pool at a path. */
export function poolFolders(path: string): PoolFolders {
  return {
    meta: join(path, 'meta'),
    images: join(path, 'images'),
    snapshots: join(path, 'snapshots'),
    trash: join(path, 'trash'),
  };
}

/** It has some 80 bytes. */
const largestIdentity = 4096;

/** Undefined where there is none. Throws FAILED_PRECONDITION for one that is damaged. */
async function readIdentity(file: string): Promise<PoolIdentity | undefined> {
  try {
    return identitySchema.parse(JSON.parse(await readRegularFile(file, largestIdentity)));
  } catch (error) {
    if (errnoOf(error) === 'ENOENT' && !(await isLinkToNowhere(file, error))) return undefined;
    // A disk that fails is another matter than what stands there instead of the file.
    if (!['ENOENT', 'ELOOP', 'ENXIO', undefined].includes(errnoOf(error))) throw error;
    throw new BerthError(
      'FAILED_PRECONDITION',
      `${file} is damaged or of a later Berth; nothing in the pool is touched until it can be read again`,
      { cause: error },
    );
  }
}

/** The identity of the pool in a folder; undefined where there is no pool. Takes no lock and changes nothing. */
export async function readPoolIdentity(path: string): Promise<Pick<PoolIdentity, 'id' | 'node'> | undefined> {
  return await readIdentity(join(path, 'pool.json'));
}

/** A pool without identity but with volumes has lost it: a new one would disown the volumes. */
async function assertUnused(config: PoolConfig, folders: PoolFolders): Promise<void> {
  const records = await readdir(folders.meta);
  if (records.length === 0) return;
  throw new BerthError(
    'FAILED_PRECONDITION',
    `pool "${config.name}" at ${config.path} has ${records.length} records but no pool.json; restore that file`,
  );
}

/** An identity that none of the pool's records has is another's: with it all of them would be strangers. */
async function assertOwn(config: PoolConfig, folders: PoolFolders, { id }: PoolIdentity): Promise<void> {
  const owners = new Set((await readdir(folders.meta)).flatMap((file) => ownerOf(file.replace(/\.json$/, '')) ?? []));
  if (owners.size === 0 || owners.has(id)) return;
  throw new BerthError(
    'FAILED_PRECONDITION',
    `pool "${config.name}" at ${config.path} has a pool.json of pool ${id} but the records of ${[...owners].join(', ')}; restore its own pool.json`,
  );
}

/**
 * Opens the pool, making its folders and identity the first time. Throws BUSY when another Berth uses it,
 * FAILED_PRECONDITION when it is damaged, IO_FAILED when the disk says no.
 */
export async function openPool(config: PoolConfig, nodeName: string): Promise<Pool> {
  const folders = poolFolders(config.path);
  try {
    for (const folder of [folders.meta, folders.images, folders.snapshots, folders.trash])
      await mkdir(folder, { recursive: true, mode: 0o700 });
    const lock = await lockFile(join(config.path, '.lock'));
    try {
      const file = join(config.path, 'pool.json');
      let identity = await readIdentity(file);
      if (identity === undefined) {
        await assertUnused(config, folders);
        identity = { format: 1, id: newPoolId(), node: nodeName };
        await writeFileAtomic(file, `${JSON.stringify(identity)}\n`, { sync: true });
      } else await assertOwn(config, folders, identity);
      const { id, node } = identity;
      return { name: config.name, id, node, path: config.path, folders, close: () => lock.release() };
    } catch (error) {
      await lock.release();
      throw error;
    }
  } catch (error) {
    if (error instanceof BerthError) throw error;
    throw new BerthError('IO_FAILED', `pool "${config.name}" at ${config.path}: ${messageOf(error)}`, { cause: error });
  }
}
