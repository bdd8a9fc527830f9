// Room that has run out: of a volume, and of a pool.
import { beforeAll, describe, expect, test } from 'vitest';
import { claimManifest, useScene } from './scene.ts';
import { fromClaim, volumePod } from './volumes.ts';

const scene = useScene('storagefull');
const node = 'node-2';
const at = (claim: string) => ({ name: 'data', source: fromClaim(claim), path: '/data' });

describe('a full volume', () => {
  beforeAll(async () => {
    await scene.apply(
      ...['full', 'roomy'].flatMap((name) => [
        claimManifest(name, 'berth-ext4', '64Mi'),
        volumePod(name, [at(name)], { node }),
      ]),
    );
    await Promise.all(['full', 'roomy'].map((name) => scene.ready(name)));
  });

  test('is full for its own pod', async () => {
    const { text, code } = await scene.inside('full', 'dd if=/dev/zero of=/data/filler bs=1M');
    expect(code).not.toBe(0);
    expect(text).toContain('No space left on device');
    expect((await scene.inside('full', 'dd if=/dev/zero of=/data/more bs=1M')).text).toContain(
      'No space left on device',
    );
  });

  test('leaves the pod beside it all of its own', async () => {
    const free = "df -k /data | awk 'NR == 2 { print $4 }'";
    expect(Number((await scene.inside('full', free)).text)).toBeLessThan(1_000);
    expect(Number((await scene.inside('roomy', free)).text)).toBeGreaterThan(40_000);
    expect((await scene.inside('roomy', 'dd if=/dev/zero of=/data/file bs=1M count=40 conv=fsync')).code).toBe(0);
  });

  test('takes more once something is removed', async () => {
    expect(
      (await scene.inside('full', 'rm /data/filler /data/more && echo more > /data/file && sync && cat /data/file'))
        .text,
    ).toBe('more');
  });
});
