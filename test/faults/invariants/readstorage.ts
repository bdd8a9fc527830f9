/** Reads the default pool of one node (tests that use others take back what they made there): its files, the loop devices on them, mounts, and what the agent remembers. */
import { parseRecord } from '../../../csi/store.ts';
import type { ClusterNode } from '../../../cluster/node.ts';
import { linesOf, metricsLine, readSections, samplesOf } from './sections.ts';
import type { NodeStorage, VolumeRecordState } from './storage.ts';

const pool = '/var/lib/berth/pools/default';
const driver = 'csi.berth.dev';

interface Use {
  readonly published?: readonly { readonly path: string }[];
  readonly staged?: { readonly path: string; readonly kind: string };
}

export async function readStorage(node: ClusterNode): Promise<NodeStorage> {
  const files = (folder: string): string =>
    `cd ${folder} 2>/dev/null && for f in $(ls -A); do echo "$f $(cat "$f" | tr -d '\\n')"; done; cd /`;
  const read = await readSections(node, {
    records: files(`${pool}/meta`),
    images: `cd ${pool}/images && for f in $(ls -A); do echo "$f $(stat -c '%s %b %B' "$f")"; done; cd /`,
    trash: `ls -A ${pool}/trash`,
    loops: `for i in ${pool}/images/*.img; do losetup -n -O NAME,BACK-FILE -j "$i"; done`,
    // Each pool has a folder for itself there, called by its ID.
    uses: files(`/run/berth/storage/$(sed -n 's/.*"id":"\\([0-9a-f]*\\)".*/\\1/p' ${pool}/pool.json)`),
    mounts: `awk '{ for (i = 7; $i != "-"; i++); print $5, $(i + 2) }' /proc/1/mountinfo`,
    size: `stat -f -c '%S %b' ${pool}`,
    metrics: metricsLine,
  });
  const [blockBytes = 0, blocks = 0] = read.size.trim().split(' ').map(Number);
  return {
    name: node.name,
    records: namedLines(read.records).map(([file, text]) => ({ file, volume: decode(text) })),
    images: namedLines(read.images).map(([file, text]) => {
      const [bytes = 0, count = 0, unit = 0] = text.split(' ').map(Number);
      return { file, bytes, allocated: count * unit };
    }),
    trash: linesOf(read.trash),
    loops: linesOf(read.loops).map((line) => {
      const [device = '', path = ''] = line.trim().split(/ +/);
      return { device, image: path.replace(/^.*\//, '') };
    }),
    uses: namedLines(read.uses).map(([file, text]) => {
      const { published = [], staged } = JSON.parse(text) as Use;
      // A raw block volume is staged without a mount.
      const stage = staged?.kind === 'filesystem' ? [staged.path] : [];
      return { id: file.replace(/\.json$/, ''), paths: [...stage, ...published.map(({ path }) => path)] };
    }),
    mounts: linesOf(read.mounts)
      .map((line) => line.split(' '))
      .map(([path = '', source = '']) => ({ path, source }))
      .filter(({ path }) => isOurs(path)),
    size: blockBytes * blocks,
    reserved: samplesOf(read.metrics, 'berth_csi_pool_reserved_bytes').find(({ labels }) => labels === 'pool="default"')
      ?.value,
  };
}

/** The paths at which the kubelet asks a driver for volumes; there is no other driver here. */
function isOurs(path: string): boolean {
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

function decode(text: string): VolumeRecordState['volume'] {
  try {
    const { kind, record } = parseRecord(text);
    return kind === 'volume' ? { id: record.id, state: record.state, bytes: Number(record.bytes) } : undefined;
  } catch {
    return undefined;
  }
}
