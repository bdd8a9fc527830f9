// A claim that is edited to be larger: the volume grows on its node, with its pod running.
import { beforeAll, expect, test } from 'vitest';
import { kubectl } from '../../scripts/kubectl.ts';
import { claimManifest, eventually, useScene } from './scene.ts';
import { fromClaim, volumePod } from './volumes.ts';
import type { PodVolume } from './volumes.ts';

const scene = useScene('storagegrowth');
const node = 'node-2';
const MiB = 1_048_576;
const at = (claim: string): PodVolume => ({ name: 'data', source: fromClaim(claim), path: '/data' });

async function grow(claim: string, storage: string): Promise<void> {
  const spec = { resources: { requests: { storage } } };
  await kubectl(scene.cluster, ['patch', 'pvc', claim, '-n', scene.namespace, '-p', JSON.stringify({ spec })]);
}

/** The kubelet looks at the claims of a pod when the pod changes; else each minute, which is long for a test. */
async function nudge(pod: string): Promise<void> {
  const annotation = `berth.dev/test=${Date.now()}`;
  await kubectl(scene.cluster, ['annotate', 'pod', pod, '-n', scene.namespace, annotation, '--overwrite']);
}

/** Waits until the claim, which a pod of its name uses, has its new size and nothing more to do. */
async function hasGrown(claim: string, storage: string): Promise<void> {
  await eventually(`claim ${claim} to have ${storage}`, 90, async () => {
    await nudge(claim);
    const path = 'jsonpath={.status.capacity.storage} {.status.conditions}';
    const answer = await kubectl(scene.cluster, ['get', 'pvc', claim, '-n', scene.namespace, '-o', path]);
    return answer.trim() === storage ? true : undefined;
  });
}

const bytesOf = async (pod: string): Promise<number> =>
  Number((await scene.inside(pod, "df -k /data | awk 'NR == 2 { print $2 * 1024 }'")).text);

/** Appends numbers for as long as the pod runs. */
const counter = 'i=0; while :; do i=$((i + 1)); echo $i >> /data/count; fsync /data/count; done';

beforeAll(async () => {
  await scene.apply(
    claimManifest('busy', 'berth-xfs', '300Mi'),
    claimManifest('disk', 'berth-xfs', '64Mi', { volumeMode: 'Block' }),
    claimManifest('idle', 'berth-xfs', '300Mi'),
    volumePod('busy', [at('busy')], { node, command: ['sh', '-c', `trap 'exit 0' TERM; (${counter}) & wait`] }),
    volumePod('disk', [{ name: 'disk', source: fromClaim('disk'), path: '/dev/disk', device: true }], { node }),
    volumePod('idle', [at('idle')], { node }),
  );
  await Promise.all(['busy', 'disk', 'idle'].map((name) => scene.ready(name)));
});

test('a filesystem grows under a pod that writes, which misses nothing', async () => {
  const before = await bytesOf('busy');
  await grow('busy', '600Mi');
  await hasGrown('busy', '600Mi');
  expect((await bytesOf('busy')) - before).toBeGreaterThan(280 * MiB);
  const { text } = await scene.inside(
    'busy',
    "dd if=/dev/zero of=/data/file bs=1M count=280 conv=fsync 2>&1; sed '$d' /data/count",
  );
  const numbers = text
    .split('\n')
    .filter((line) => /^\d+$/.test(line))
    .map(Number);
  expect(numbers.length).toBeGreaterThan(10);
  expect(numbers).toEqual(numbers.map((_, index) => index + 1));
});

test('a raw block device grows under its pod and keeps its bytes', async () => {
  await scene.inside('disk', 'echo kept | dd of=/dev/disk bs=4096 conv=sync,fsync 2>/dev/null');
  await grow('disk', '128Mi');
  await hasGrown('disk', '128Mi');
  expect((await scene.inside('disk', 'blockdev --getsize64 /dev/disk; head -n 1 /dev/disk')).text).toBe(
    `${128 * MiB}\nkept`,
  );
});

test('a volume that no pod uses grows when the next one does', async () => {
  await scene.inside('idle', 'echo kept > /data/file && sync');
  const before = await bytesOf('idle');
  await scene.remove('pod', 'idle');
  await grow('idle', '400Mi');
  await eventually('the claim to wait for a pod', 30, async () => {
    const path = 'jsonpath={.status.conditions[*].type}';
    const answer = await kubectl(scene.cluster, ['get', 'pvc', 'idle', '-n', scene.namespace, '-o', path]);
    return answer.includes('FileSystemResizePending') ? true : undefined;
  });
  await scene.apply(volumePod('idle', [at('idle')]));
  await scene.ready('idle');
  await hasGrown('idle', '400Mi');
  expect((await bytesOf('idle')) - before).toBeGreaterThan(90 * MiB);
  expect((await scene.inside('idle', 'cat /data/file')).text).toBe('kept');
});

test('one that asks for more than the pool has keeps its size and says so; asking for less helps', async () => {
  await grow('disk', '900Gi');
  const told = eventually('the claim to say why', 60, async () => {
    await nudge('disk');
    const path = 'jsonpath={.status.conditions[?(@.type=="NodeResizeError")].message}';
    const answer = await kubectl(scene.cluster, ['get', 'pvc', 'disk', '-n', scene.namespace, '-o', path]);
    return answer === '' ? undefined : answer;
  });
  expect(await told).toMatch(
    /pool "default" can take a volume of .* GiB asked; delete volumes, enlarge the pool or ask for less/,
  );
  expect(await scene.event('Pod', 'disk', /NodeExpandVolume failed/)).toContain('pool "default" can take');
  const looks = 'blockdev --getsize64 /dev/disk; head -n 1 /dev/disk';
  expect((await scene.inside('disk', looks)).text).toBe(`${128 * MiB}\nkept`);
  await grow('disk', '192Mi');
  await hasGrown('disk', '192Mi');
  expect((await scene.inside('disk', looks)).text).toBe(`${192 * MiB}\nkept`);
});
