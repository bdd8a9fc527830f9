// Room that has run out: of a volume, and of a pool.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { claimManifest, useScene } from './scene.ts';
import { fromClaim, useClass, volumePod } from './volumes.ts';

const scene = useScene('storagefull');
const small = useClass(scene, 'berth-test-small', {
  parameters: { pool: 'small', 'csi.storage.k8s.io/fstype': 'ext4' },
});
const node = scene.cluster.nodes[1]!;
const at = (claim: string) => ({ name: 'data', source: fromClaim(claim), path: '/data' });

describe('a full volume', () => {
  beforeAll(async () => {
    await scene.apply(
      ...['full', 'roomy'].flatMap((name) => [
        claimManifest(name, 'berth-ext4', '64Mi'),
        volumePod(name, [at(name)], { node: node.name }),
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

describe('a full pool', () => {
  const filler = '/var/lib/berth/pools/small/filler';
  const sum = async (): Promise<string> => (await scene.inside('before', 'sync; md5sum < /data/bytes')).text;

  beforeAll(async () => {
    await scene.apply(
      claimManifest('before', small, '128Mi'),
      volumePod('before', [at('before')], { node: node.name }),
    );
    await scene.ready('before');
    await scene.inside('before', 'dd if=/dev/urandom of=/data/bytes bs=1M count=32 conv=fsync');
  });
  afterAll(() => node.exec(['rm', '-f', filler]));

  test('takes no more volumes, says how much it had, and leaves those it has as they are', async () => {
    const whole = await sum();
    await scene.apply(claimManifest('after', small, '256Mi'), volumePod('after', [at('after')], { node: node.name }));
    expect(await scene.event('Pod', 'after', /enough free storage/)).toContain('did not have enough free storage');
    expect(await sum()).toBe(whole);
  });

  test('keeps for its volumes what is theirs, also when something else takes the last byte of its disk', async () => {
    const whole = await sum();
    const { stderr } = await node.exec(['dd', 'if=/dev/zero', `of=${filler}`, 'bs=64k']);
    expect(stderr).toContain('No space left on device');
    expect((await scene.inside('before', 'dd if=/dev/zero of=/data/more bs=1M count=64 conv=fsync')).code).toBe(0);
    expect(await sum()).toBe(whole);
    expect(
      (await scene.inside('before', 'rm /data/more && echo more > /data/more && sync && cat /data/more')).text,
    ).toBe('more');
  });

  test('has room again when there is some, and the volume that waited is made', async () => {
    await node.exec(['rm', '-f', filler]);
    await scene.remove('pod', 'before');
    await scene.remove('pvc', 'before');
    await scene.ready('after');
  });
});
