// Whose files are on a volume, and how it is mounted: fsGroup of a pod, mountOptions of a class.
import { beforeAll, expect, test } from 'vitest';
import { claimManifest, useScene } from './scene.ts';
import { fromClaim, useClass, volumePod } from './volumes.ts';
import type { PodVolume } from './volumes.ts';

const scene = useScene('storageowners');
const mounted = useClass(scene, 'berth-test-mounted', { mountOptions: ['noatime', 'noexec'] });
const refused = useClass(scene, 'berth-test-refused', { mountOptions: ['subvol=/'] });
const at = (claim: string): PodVolume => ({ name: 'data', source: fromClaim(claim), path: '/data' });
const inGroup = (fsGroup: number): { readonly securityContext: object } => ({
  securityContext: { runAsUser: 1000, runAsGroup: 1000, fsGroup },
});

beforeAll(() =>
  scene.apply(
    claimManifest('owned', 'berth-xfs', '300Mi'),
    claimManifest('mounted', mounted, '300Mi'),
    claimManifest('refused', refused, '300Mi'),
    volumePod('first', [at('owned')], inGroup(2000)),
    volumePod('mounted', [at('mounted')]),
    volumePod('waits', [at('refused')]),
  ),
);

test('a pod that is not root writes by its fsGroup, and so does a later one with another group', async () => {
  await scene.ready('first');
  const made = await scene.inside('first', 'echo mine > /data/file && stat -c "%u %g %A" /data/file /data');
  expect(made.text).toMatch(/^1000 2000 -rw-r--r--\n0 2000 drwxrwsr-x$/);
  await scene.remove('pod', 'first');
  await scene.apply(volumePod('second', [at('owned')], inGroup(3000)));
  await scene.ready('second');
  const found = await scene.inside('second', 'cat /data/file; stat -c %g /data/file; touch /data/new && echo wrote');
  expect(found.text).toBe('mine\n3000\nwrote');
});

test('the mount options of a class are those of the mount; they and ours hold in the pod', async () => {
  await scene.ready('mounted');
  const { text } = await scene.inside('mounted', 'awk \'$2 == "/data" { print $4 }\' /proc/mounts');
  expect(text.split(',')).toEqual(expect.arrayContaining(['rw', 'noatime', 'noexec', 'nosuid', 'nodev']));
  const script = 'printf "#!/bin/sh\\necho ran\\n" > /data/run && chmod 755 /data/run && /data/run';
  expect((await scene.inside('mounted', script)).text).toMatch(/Permission denied/);
});

test('an option that could reach beyond the volume is refused on the claim', async () => {
  expect(await scene.event('PersistentVolumeClaim', 'refused', /mount flag/)).toContain('"subvol=/" is not allowed');
});
