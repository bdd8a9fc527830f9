// Limits of block devices by cgroup, on hierarchies that a temporary folder imitates.
import { mkdir, mkdtemp, rm, unlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { blockCgroups } from './blockcgroup.ts';
import { blockCgroupContract } from './fake/blockcgroupcontract.ts';
import { FakeCgroups } from './fake/cgroups.ts';

let fake: FakeCgroups;
afterEach(async () => {
  await fake.close();
});

describe.each([1, 2] as const)('cgroup v%i', (version) => {
  beforeEach(async () => {
    fake = await FakeCgroups.make(version);
  });

  describe('keeps the contract, where', () => {
    blockCgroupContract(() => ({
      version,
      cgroups: blockCgroups(fake.root, fake.write),
      device: '7:1',
      add: (path) => fake.add(`kubepods/${path}`),
      remove: (path) => rm(path.startsWith('/') ? path : join(fake.hierarchy, 'kubepods', path), { recursive: true }),
    }));
  });

  const uid = 'c9d7a1e2-0b1c-4d5e-8f90-123456789abc';
  const slice = 'c9d7a1e2_0b1c_4d5e_8f90_123456789abc';
  test.each([
    ['cgroupfs', `kubepods/pod${uid}`],
    ['cgroupfs, burstable', `kubepods/burstable/pod${uid}`],
    ['systemd', `kubepods.slice/kubepods-pod${slice}.slice`],
    ['systemd, best effort', `kubepods.slice/kubepods-besteffort.slice/kubepods-besteffort-pod${slice}.slice`],
    ['kind', `kubelet.slice/kubelet-kubepods.slice/kubelet-kubepods-pod${slice}.slice`],
    ['a cgroup root', `berth-cluster.a/node-1/kubepods/besteffort/pod${uid}`],
    [
      'a cgroup root, systemd',
      `a.slice/a-b.slice/a-b-kubepods.slice/a-b-kubepods-burstable.slice/a-b-kubepods-burstable-pod${slice}.slice`,
    ],
    ['a static pod', `kubepods/burstable/pod${'0a'.repeat(16)}`, '0a'.repeat(16)],
  ])('a pod is found where %s puts it', async (_, path, other?: string) => {
    const folder = await fake.add(path);
    expect(await blockCgroups(fake.root, fake.write).podGroup(other ?? uid)).toBe(folder);
  });

  test('of two nodes on one kernel the one that has the pod is found, and where was looked can be told', async () => {
    const cgroups = blockCgroups(fake.root, fake.write);
    expect(await cgroups.podPlaces()).toBe('no folder kubepods');
    await fake.add('a/kubepods');
    const folder = await fake.add(`b/kubepods/pod${uid}`);
    expect(await cgroups.podGroup(uid)).toBe(folder);
    expect(await cgroups.podPlaces()).toBe('/a/kubepods, /b/kubepods');
  });

  test('a folder that a user of the node has made is not believed', async () => {
    await fake.add(`user.slice/user-1000.slice/kubepods/pod${uid}`);
    expect(await blockCgroups(fake.root, fake.write).podGroup(uid)).toBeUndefined();
  });

  test('a group without the files says that the node cannot', async () => {
    const group = await fake.add(`kubepods/pod${uid}`);
    const file = version === 2 ? 'io.max' : 'blkio.throttle.read_bps_device';
    await unlink(join(group, file));
    const set = blockCgroups(fake.root, fake.write).set(group, '7:1', { rbps: 1n << 20n });
    await expect(set).rejects.toMatchObject({
      code: 'FAILED_PRECONDITION',
      message: expect.stringContaining('not passed on to the groups of pods') as string,
    });
  });

  test('what the kernel writes back is limited in the pod (v2) or the root group (v1)', async () => {
    const group = await blockCgroups(fake.root, fake.write).writeBackGroup();
    expect(group).toBe(version === 2 ? undefined : join(fake.root, 'blkio'));
  });
});

test.each([
  ['no cgroups at all', {}, /neither cgroup v2 nor the v1 hierarchy/],
  ['v2 without the controller', { 'cgroup.controllers': 'cpu memory\n' }, /"io" is missing/],
  ['v1 without throttling', { 'blkio/blkio.weight': '' }, /neither cgroup v2 nor the v1 hierarchy/],
  ['v1 for others and v2 for none', { 'unified/cgroup.controllers': 'hugetlb\n' }, /neither cgroup v2 nor/],
])('%s: the node cannot, and says why', async (_, files, reason) => {
  const root = await mkdtemp(join(tmpdir(), 'bn-cg-'));
  for (const [path, text] of Object.entries(files)) {
    await mkdir(join(root, path, '..'), { recursive: true });
    await writeFile(join(root, path), text);
  }
  const cgroups = blockCgroups(root);
  expect(await cgroups.support()).toEqual({ missing: expect.stringMatching(reason) as string });
  await expect(cgroups.set(root, '7:1', { rbps: 1n })).rejects.toMatchObject({ code: 'FAILED_PRECONDITION' });
  expect(await cgroups.podGroup('0a'.repeat(16))).toBeUndefined();
  await rm(root, { recursive: true });
});
