// Who may use a volume, and how: pods side by side on one node, read-only, and one pod only.
import { beforeAll, describe, expect, test } from 'vitest';
import { claimManifest, useScene } from './scene.ts';
import { fromClaim, volumePod } from './volumes.ts';

const scene = useScene('storagemodes');
const node = 'node-2';
const at = (claim: string, readOnly = false) => ({ name: 'data', source: fromClaim(claim, readOnly), path: '/data' });

describe('pods of one node with one claim (ReadWriteOnce)', () => {
  beforeAll(async () => {
    await scene.apply(
      claimManifest('shared', 'berth-ext4', '64Mi'),
      volumePod('writer', [at('shared')], { node }),
      volumePod('other', [at('shared')], { node }),
      volumePod('reader', [at('shared', true)], { node }),
    );
    await Promise.all(['writer', 'other', 'reader'].map((name) => scene.ready(name)));
    await scene.inside('writer', 'echo first > /data/file');
  });

  test('write to it side by side', async () => {
    expect((await scene.inside('other', 'echo second >> /data/file && cat /data/file')).text).toBe('first\nsecond');
    expect((await scene.inside('writer', 'cat /data/file')).text).toBe('first\nsecond');
  });

  test('read it, and nothing else, where the pod says readOnly', async () => {
    expect((await scene.inside('reader', 'head -n 1 /data/file')).text).toBe('first');
    for (const attempt of ['echo x >> /data/file', 'touch /data/new', 'rm /data/file', 'chmod 777 /data']) {
      expect((await scene.inside('reader', attempt)).text).toMatch(/Read-only file system/);
    }
    const remounted = await scene.inside('reader', 'mount -o remount,rw /data');
    expect(remounted.code).not.toBe(0);
    expect((await scene.inside('writer', 'ls /data/new; echo third >> /data/file')).text).toMatch(/No such file/);
    expect((await scene.inside('reader', 'tail -n 1 /data/file')).text).toBe('third');
  });
});

test('a claim for one pod only (ReadWriteOncePod) is refused to a second until the first has gone', async () => {
  await scene.apply(
    claimManifest('single', 'berth-ext4', '64Mi', { accessModes: ['ReadWriteOncePod'] }),
    volumePod('holder', [at('single')], { node }),
  );
  await scene.ready('holder');
  await scene.inside('holder', 'echo held > /data/file && sync');
  await scene.apply(volumePod('next', [at('single')], { node }));
  expect(await scene.event('Pod', 'next', /ReadWriteOncePod/)).toMatch(/already in-use by another pod/);
  await scene.remove('pod', 'holder');
  await scene.ready('next');
  expect((await scene.inside('next', 'cat /data/file')).text).toBe('held');
});
