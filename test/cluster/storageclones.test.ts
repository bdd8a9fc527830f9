// A claim made from another claim: the same files, in a volume of its own.
import { expect, test } from 'vitest';
import { claimManifest, useScene } from './scene.ts';
import { fromClaim, volumePod } from './volumes.ts';
import type { PodVolume } from './volumes.ts';

const scene = useScene('storageclones');
const node = scene.cluster.nodes[2]!;
const at = (claim: string): PodVolume => ({ name: 'data', source: fromClaim(claim), path: '/data' });
const cloneOf = (name: string): object => ({ dataSource: { kind: 'PersistentVolumeClaim', name } });

test('a clone of a volume in use has its files, on its node, and goes its own way', async () => {
  await scene.apply(
    claimManifest('source', 'berth-ext4', '128Mi'),
    volumePod('source', [at('source')], { node: node.name }),
  );
  await scene.ready('source');
  await scene.inside('source', 'dd if=/dev/urandom of=/data/bytes bs=1M count=64; echo one > /data/file; sync');
  await scene.apply(
    claimManifest('clone', 'berth-ext4', '192Mi', cloneOf('source')),
    claimManifest('smaller', 'berth-ext4', '64Mi', cloneOf('source')),
    volumePod('clone', [at('clone')]),
    volumePod('smaller', [at('smaller')]),
  );
  // Nobody told the scheduler where the source lies but the claim itself.
  expect((await scene.ready('clone')).spec.nodeName).toBe(node.name);
  const sum = async (pod: string): Promise<string> =>
    (await scene.inside(pod, 'md5sum < /data/bytes; cat /data/file')).text;
  expect(await sum('clone')).toBe(await sum('source'));
  await Promise.all([
    scene.inside('source', 'echo two > /data/file; rm /data/bytes; sync'),
    scene.inside('clone', 'echo three > /data/file; sync'),
  ]);
  expect((await scene.inside('source', 'cat /data/file')).text).toBe('two');
  expect((await scene.inside('clone', 'cat /data/file; ls /data/bytes')).text).toBe('three\n/data/bytes');
  expect(await scene.event('PersistentVolumeClaim', 'smaller', /greater than or equal/)).toContain('134217728');
});
