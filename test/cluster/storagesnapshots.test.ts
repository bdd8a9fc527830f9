// Snapshots of volumes in use, by VolumeSnapshot objects; what is restored from them, and what is left when things are deleted.
import { beforeAll, describe, expect, test } from 'vitest';
import { claimManifest, eventually, useScene } from './scene.ts';
import { snapshotManifest, snapshotReady } from './snapshots.ts';
import { fromClaim, volumePod } from './volumes.ts';
import type { PodVolume } from './volumes.ts';

const scene = useScene('storagesnapshots');
const { cluster } = scene;
const node = 'node-2';
const at = (claim: string): PodVolume => ({ name: 'data', source: fromClaim(claim), path: '/data' });
const device = (claim: string): PodVolume => ({
  name: 'disk',
  source: fromClaim(claim),
  path: '/dev/disk',
  device: true,
});
const fromSnapshot = (name: string): object => ({
  dataSource: { apiGroup: 'snapshot.storage.k8s.io', kind: 'VolumeSnapshot', name },
});

/** Appends numbers, each on the disk before the next, and says in `said` which it has seen there: by a rename, for it is read meanwhile. */
const say = 'echo $i > /said/next; mv /said/next /said/count';
const counter = `i=0; while :; do i=$((i + 1)); echo $i >> /data/count; fsync /data/count; ${say}; done`;
const counting = volumePod('counter', [at('counted'), { name: 'said', source: { emptyDir: {} }, path: '/said' }], {
  node,
  command: ['sh', '-c', `trap 'exit 0' TERM; (${counter}) & wait`],
});

describe('of a volume whose pod counts', () => {
  let before = 0;
  let after = 0;

  beforeAll(async () => {
    await scene.apply(claimManifest('counted', 'berth-xfs', '300Mi'), counting);
    await scene.ready('counter');
    const said = async (): Promise<number> => Number((await scene.inside('counter', 'cat /said/count')).text);
    await eventually('the pod to have counted', 30, async () => ((await said()) > 20 ? true : undefined));
    before = await said();
    await scene.apply(snapshotManifest('snapshot', 'counted'));
    await snapshotReady(scene, 'snapshot');
    after = await said();
    await scene.apply(
      claimManifest('restored', 'berth-xfs', '300Mi', fromSnapshot('snapshot')),
      claimManifest('larger', 'berth-xfs', '600Mi', fromSnapshot('snapshot')),
      volumePod('restored', [at('restored')]),
      volumePod('larger', [at('larger')]),
    );
  });

  test('the restored one has every number that was on the disk before, and none that came after', async () => {
    expect((await scene.ready('restored')).spec.nodeName).toBe(node);
    const { text } = await scene.inside('restored', 'cat /data/count');
    const numbers = text.split('\n').map(Number);
    expect(numbers).toEqual(numbers.map((_, index) => index + 1));
    expect(numbers.length).toBeGreaterThanOrEqual(before);
    expect(numbers.length).toBeLessThanOrEqual(after + 1);
  });

  test('it is a volume of its own: what is written to it, and what the pod goes on counting, do not meet', async () => {
    await scene.inside('restored', 'echo mine > /data/count && sync');
    const last = Number((await scene.inside('counter', 'tail -n 1 /data/count')).text);
    expect(last).toBeGreaterThanOrEqual(after);
    expect((await scene.inside('restored', 'cat /data/count')).text).toBe('mine');
  });

  test('a larger claim gets a larger filesystem', async () => {
    await scene.ready('larger');
    const blocks = "df -k /data | awk 'NR == 2 { print $2 }'";
    const [source, larger] = await Promise.all(['counter', 'larger'].map((pod) => scene.inside(pod, blocks)));
    expect(Number(larger?.text) - Number(source?.text)).toBeGreaterThan(250 * 1024);
    expect((await scene.inside('larger', 'dd if=/dev/zero of=/data/file bs=1M count=280 conv=fsync')).code).toBe(0);
  });

  test('it outlives the volume it was taken from, and leaves nothing when it is deleted itself', async () => {
    const handle = await snapshotReady(scene, 'snapshot');
    await scene.remove('pod', 'counter', 'restored', 'larger');
    await scene.remove('pvc', 'counted', 'restored', 'larger');
    await scene.apply(
      claimManifest('late', 'berth-xfs', '300Mi', fromSnapshot('snapshot')),
      volumePod('late', [at('late')]),
    );
    await scene.ready('late');
    expect((await scene.inside('late', 'head -n 3 /data/count')).text).toBe('1\n2\n3');
    await scene.remove('volumesnapshot', 'snapshot');
    await eventually('the snapshot to be gone from its node', 30, async () => {
      const { stdout } = await cluster.nodes[1]!.exec(['find', '/var/lib/berth/pools', '-name', `${handle}*`]);
      return stdout === '' ? true : undefined;
    });
    expect((await scene.inside('late', 'head -n 1 /data/count')).text).toBe('1');
  });
});

test('a raw block volume is restored byte for byte', async () => {
  await scene.apply(
    claimManifest('raw', 'berth-xfs', '64Mi', { volumeMode: 'Block' }),
    volumePod('raw', [device('raw')], { node }),
  );
  await scene.ready('raw');
  await scene.inside('raw', 'yes berth | dd of=/dev/disk bs=64k count=256 iflag=fullblock conv=fsync 2>/dev/null');
  const sum = async (pod: string): Promise<string> => (await scene.inside(pod, 'md5sum < /dev/disk')).text;
  const whole = await sum('raw');
  await scene.apply(snapshotManifest('raw', 'raw'));
  await snapshotReady(scene, 'raw');
  await scene.inside('raw', 'dd if=/dev/zero of=/dev/disk bs=1M count=4 conv=fsync 2>/dev/null');
  await scene.apply(
    claimManifest('copy', 'berth-xfs', '64Mi', { volumeMode: 'Block', ...fromSnapshot('raw') }),
    volumePod('copy', [device('copy')]),
  );
  await scene.ready('copy');
  expect(await sum('copy')).toBe(whole);
  expect(await sum('raw')).not.toBe(whole);
  await scene.remove('volumesnapshot', 'raw');
});
