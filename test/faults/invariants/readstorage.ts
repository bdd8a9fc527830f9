/** Reads the configured pools of one node: their files, the loop devices on them, mounts, and what the agent remembers. */
import { join } from 'node:path';
import type { PoolConfig, StorageConfig } from '../../../csi/config.ts';
import { parseRecord } from '../../../csi/store.ts';
import type { AnyRecord } from '../../../csi/store.ts';
import type { ClusterNode } from '../../../cluster/node.ts';
import type { BytesState, PoolState } from './pool.ts';
import { linesOf, metricsLine, readSections, samplesOf } from './sections.ts';
import type { NodeStorage } from './storage.ts';

type Executor = Pick<ClusterNode, 'name' | 'exec'>;

interface Use {
  readonly published?: readonly { readonly path: string }[];
  readonly staged?: { readonly path: string; readonly kind: string };
}

export async function readStorage(node: Executor, config: StorageConfig): Promise<NodeStorage> {
  const { mounts, metrics } = await readSections(node, {
    mounts: `awk '{ for (i = 7; $i != "-"; i++); print $5, $(i + 2) }' /proc/1/mountinfo`,
    metrics: metricsLine,
  });
  const pools: PoolState[] = [];
  for (const pool of config.pools) pools.push(await readPool(node, pool, config.runDir, metrics));
  return {
    name: node.name,
    pools,
    mounts: linesOf(mounts)
      .map((line) => line.split(' '))
      .map(([path = '', source = '']) => ({ path, source }))
      .filter(({ path }) => isOurs(path, config.driverName)),
  };
}

async function readPool(
  node: Executor,
  { name, path, engine, overcommit, trashRetention }: PoolConfig,
  runDir: string,
  metrics: string,
): Promise<PoolState> {
  const files = (folder: string): string =>
    `cd ${folder} 2>/dev/null && for f in $(ls -A); do echo "$f $(cat "$f" | tr -d '\\n')"; done; cd /`;
  const sizes = (folder: string): string =>
    `cd ${folder} 2>/dev/null && for f in $(ls -A); do echo "$f $(stat -c '%s %b %B' "$f")"; done; cd /`;
  const id = `sed -n 's/.*"id":"\\([0-9a-f]*\\)".*/\\1/p' ${path}/pool.json`;
  const read = await readSections(node, {
    id,
    records: files(join(path, 'meta')),
    images: sizes(join(path, 'images')),
    snapshots: sizes(join(path, 'snapshots')),
    trash: `ls -A ${path}/trash`,
    loops: `for i in ${path}/images/*.img; do losetup -n -O NAME,BACK-FILE -j "$i"; done`,
    // Each pool has a folder for itself there, called by its ID.
    uses: files(`${runDir}/$(${id})`),
    size: `stat -f -c '%S %b' ${path}`,
    device: `df -P ${path} | awk 'NR == 2 { print $1 }'`,
  });
  const [blockBytes = 0, blocks = 0] = read.size.trim().split(' ').map(Number);
  return {
    name,
    id: read.id.trim() === '' ? undefined : read.id.trim(),
    engine,
    device: read.device.trim(),
    overcommit,
    keepsTrash: trashRetention > 0,
    records: namedLines(read.records).map(([file, text]) => ({ file, record: decode(text) })),
    images: bytesOf(read.images),
    snapshots: bytesOf(read.snapshots),
    trash: linesOf(read.trash),
    loops: linesOf(read.loops).map((line) => {
      const [device = '', file = ''] = line.trim().split(/ +/);
      return { device, image: file.replace(/^.*\//, '') };
    }),
    uses: namedLines(read.uses).map(([file, text]) => {
      const { published = [], staged } = JSON.parse(text) as Use;
      // A raw block volume is staged without a mount.
      const stage = staged?.kind === 'filesystem' ? [staged.path] : [];
      return { id: file.replace(/\.json$/, ''), paths: [...stage, ...published.map((place) => place.path)] };
    }),
    size: blockBytes * blocks,
    reserved: samplesOf(metrics, 'berth_csi_pool_reserved_bytes').find(({ labels }) => labels === `pool="${name}"`)
      ?.value,
  };
}

/** The paths at which the kubelet asks a driver for volumes; there is no other driver here. */
function isOurs(path: string, driver: string): boolean {
  return (
    (path.includes(`/csi/${driver}/`) && path.endsWith('/globalmount')) ||
    path.includes('/volumes/kubernetes.io~csi/') ||
    path.includes('/csi/volumeDevices/publish/')
  );
}

/** Lines of `NAME TEXT`. */
function namedLines(text: string): readonly (readonly [string, string])[] {
  return linesOf(text).map((line) => {
    const at = line.indexOf(' ');
    return [line.slice(0, at), line.slice(at + 1)];
  });
}

function bytesOf(text: string): readonly BytesState[] {
  return namedLines(text).map(([file, figures]) => {
    const [bytes = 0, count = 0, unit = 0] = figures.split(' ').map(Number);
    return { file, bytes, allocated: count * unit };
  });
}

function decode(text: string): AnyRecord | undefined {
  try {
    return parseRecord(text);
  } catch {
    return undefined;
  }
}
