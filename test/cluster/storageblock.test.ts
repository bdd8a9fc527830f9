// A volume without a filesystem: a device node in the pod.
import { beforeAll, expect, test } from 'vitest';
import { claimManifest, useScene } from './scene.ts';
import { fromClaim, volumePod } from './volumes.ts';

const scene = useScene('storageblock');
const node = 'node-2';
const device = { name: 'disk', source: fromClaim('disk'), path: '/dev/disk', device: true };

beforeAll(async () => {
  await scene.apply(
    claimManifest('disk', 'berth-xfs', '64Mi', { volumeMode: 'Block' }),
    volumePod('one', [device], { node }),
    volumePod('two', [device], { node }),
  );
  await Promise.all(['one', 'two'].map((name) => scene.ready(name)));
});

test('is a block device of exactly the size that was asked for, empty, and writable up to its last byte', async () => {
  const { text } = await scene.inside('one', 'test -b /dev/disk && blockdev --getsize64 /dev/disk');
  expect(text).toBe(String(64 * 1024 * 1024));
  expect((await scene.inside('one', 'cmp -n 67108864 /dev/disk /dev/zero && echo empty')).text).toBe('empty');
  const last = 'printf end | dd of=/dev/disk bs=1 seek=67108861 conv=notrunc,fsync 2>/dev/null; tail -c 3 /dev/disk';
  expect((await scene.inside('one', last)).text).toBe('end');
  expect((await scene.inside('one', 'printf x | dd of=/dev/disk bs=1 seek=67108864 conv=notrunc')).code).not.toBe(0);
});

test('is the same device in another pod of the node, and keeps its bytes for the pods after them', async () => {
  await scene.inside('one', 'echo hello | dd of=/dev/disk bs=4096 conv=sync,fsync 2>/dev/null');
  expect((await scene.inside('two', 'head -n 1 /dev/disk')).text).toBe('hello');
  await scene.remove('pod', 'one', 'two');
  await scene.apply(volumePod('three', [device]));
  expect((await scene.ready('three')).spec.nodeName).toBe(node);
  expect((await scene.inside('three', 'head -n 1 /dev/disk; tail -c 3 /dev/disk')).text).toBe('hello\nend');
});
