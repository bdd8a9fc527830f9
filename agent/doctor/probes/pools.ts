/** Reads what the storage probes judge of each pool. One after another, so that a disk that hangs holds one thread and no more. */
import { constants } from 'node:fs';
import { open, statfs } from 'node:fs/promises';
import { join } from 'node:path';
import type { PoolConfig, StorageConfig } from '../../../csi/config.ts';
import { readPoolIdentity } from '../../../csi/pool.ts';
import { pause } from '../../../kit/backoff.ts';
import { errnoOf, messageOf } from '../../../kit/errors.ts';
import { abilitiesOf } from '../../../linux/filesystemkind.ts';
import type { FolderAbilities } from '../../../linux/filesystemkind.ts';
import { coveringMount } from '../../../linux/mountinfo.ts';
import { agentsOf, mountsOf, onHost } from '../context.ts';
import type { DoctorContext } from '../context.ts';
import { isFolder, readText } from '../reading.ts';

export interface PoolFacts {
  readonly pool: Pick<PoolConfig, 'name' | 'path' | 'engine'>;
  /** Undefined: nothing is there. */
  readonly isFolder: boolean | undefined;
  readonly identity: 'pool' | 'none' | 'damaged';
  readonly abilities: FolderAbilities | undefined;
  readonly mountPoint: string;
  /** A mount point of /etc/fstab at or above the pool on which nothing is mounted. */
  readonly unmounted: string | undefined;
  readonly space:
    | { readonly total: number; readonly available: number; readonly inodes: number; readonly freeInodes: number }
    | undefined;
  /** Whether a file can be opened for direct I/O; undefined where there is none to try. */
  readonly directIo: boolean | undefined;
  /** What the agent says is wrong with it, empty when nothing; undefined where it does not say. */
  readonly told: string | undefined;
  /** Why nothing was read. */
  readonly trouble: string | undefined;
}

/** Milliseconds for one pool, which is less than a probe has. */
const poolLimit = 1_000;

/** Paths that did not answer, until they do: they are not asked again, in this look or the next. */
const hanging = new Set<string>();

export async function poolsOf(context: DoctorContext, { pools }: StorageConfig): Promise<readonly PoolFacts[]> {
  return await context.once('pools', async () => {
    // An agent that waits for a disk itself does not tell.
    const told = await Promise.race([
      toldPools(context),
      pause(poolLimit, context.signal).then(() => new Map<string, string>()),
    ]);
    const facts: PoolFacts[] = [];
    for (const pool of pools)
      facts.push(await withinLimit(pool, told.get(pool.name), () => readPool(context, pool, told)));
    return facts;
  });
}

async function withinLimit(
  pool: PoolConfig,
  told: string | undefined,
  read: () => Promise<PoolFacts>,
): Promise<PoolFacts> {
  const failed = (trouble: string): PoolFacts => ({ ...nothing, pool, told, trouble });
  const silent = `${pool.path} does not answer; its disk or server hangs`;
  if (hanging.has(pool.path)) return failed(silent);
  hanging.add(pool.path);
  const ended = read()
    .catch((error: unknown) => failed(`${pool.path}: ${messageOf(error)}`))
    .finally(() => hanging.delete(pool.path));
  const { promise, resolve } = Promise.withResolvers<PoolFacts>();
  const timer = setTimeout(() => {
    resolve(failed(silent));
  }, poolLimit);
  return await Promise.race([ended, promise]).finally(() => {
    clearTimeout(timer);
  });
}

const nothing: Omit<PoolFacts, 'pool' | 'told' | 'trouble'> = {
  isFolder: undefined,
  identity: 'none',
  abilities: undefined,
  mountPoint: '/',
  unmounted: undefined,
  space: undefined,
  directIo: undefined,
};

async function readPool(
  context: DoctorContext,
  pool: PoolConfig,
  told: ReadonlyMap<string, string>,
): Promise<PoolFacts> {
  const path = onHost(context, pool.path);
  const mounts = await mountsOf(context);
  const mountPoint = coveringMount(mounts, path)?.mountPoint ?? '/';
  const unmounted = unmountedOf(
    (await readText(onHost(context, '/etc/fstab'))) ?? '',
    pool.path,
    new Set(mounts.map((entry) => entry.mountPoint)),
    (each) => onHost(context, each),
  );
  const folder = await isFolder(path);
  const base = {
    ...nothing,
    pool,
    isFolder: folder,
    mountPoint,
    unmounted,
    told: told.get(pool.name),
    trouble: undefined,
  };
  if (folder !== true) return base;
  const { bsize, blocks, bavail, files, ffree } = await statfs(path);
  return {
    ...base,
    identity: await identityOf(path),
    abilities: await abilitiesOf(path),
    space: { total: blocks * bsize, available: bavail * bsize, inodes: files, freeInodes: ffree },
    directIo: await canDirectIo(join(path, 'pool.json')),
  };
}

async function identityOf(path: string): Promise<PoolFacts['identity']> {
  try {
    return (await readPoolIdentity(path)) === undefined ? 'none' : 'pool';
  } catch {
    return 'damaged';
  }
}

/** Pure. The lowest mount point of fstab at or above a path that has no mount. */
function unmountedOf(
  fstab: string,
  path: string,
  mounted: ReadonlySet<string>,
  located: (path: string) => string = (each) => each,
): string | undefined {
  return fstab
    .split('\n')
    .map((line) => line.trim().split(/\s+/)[1] ?? '')
    .filter(
      (point) => point.length > 1 && (path === point || path.startsWith(`${point}/`)) && !mounted.has(located(point)),
    )
    .sort((a, b) => b.length - a.length)[0];
}

async function canDirectIo(file: string): Promise<boolean | undefined> {
  try {
    await (await open(file, constants.O_RDONLY | constants.O_DIRECT)).close();
    return true;
  } catch (error) {
    return errnoOf(error) === 'EINVAL' ? false : undefined;
  }
}

/** What the agent says of each pool. */
async function toldPools(context: DoctorContext): Promise<ReadonlyMap<string, string>> {
  const items = (await agentsOf(context, 'pools')).flatMap((answer) => ('items' in answer ? answer.items : []));
  const views = items as readonly Readonly<Record<string, unknown>>[];
  return new Map(
    views.flatMap(({ kind, name, reason }) =>
      kind === 'storage' && typeof name === 'string' && typeof reason === 'string' ? [[name, reason] as const] : [],
    ),
  );
}
