/** What limits of block devices may rely on, as one table of cases run against the fake hierarchies (unit) and the real one (test/kernel). */
import { randomUUID } from 'node:crypto';
import { expect, test } from 'vitest';
import type { BlockCgroups } from '../blockcgroup.ts';

/** Cgroups in which pods may be made, and a device that exists; whoever made them removes what is left. */
export interface CgroupWorld {
  readonly version: 1 | 2;
  readonly cgroups: BlockCgroups;
  readonly device: string;
  /** Makes a group below the kubelet's folder, such as `burstable/pod…/container`, and those above it; returns its folder. */
  readonly add: (path: string) => Promise<string>;
  readonly remove: (path: string) => Promise<void>;
}

const MiB = 1n << 20n;
/** Of no driver; a loop device that is asked for by number may be made at once. */
const missingDevice = '4094:7';

/** Declares the cases; `world` is asked for in every case, inside the case. */
export function blockCgroupContract(world: () => CgroupWorld): void {
  test('this node limits by the version that it has', async () => {
    const { cgroups, version } = world();
    expect(await cgroups.support()).toEqual({ version });
  });

  test.each(['', 'burstable/', 'besteffort/'])(
    'a pod is found by its UID below "%s", once it is there',
    async (quality) => {
      const { cgroups, add, remove } = world();
      const uid = randomUUID();
      expect(await cgroups.podGroup(uid)).toBeUndefined();
      const folder = await add(`${quality}pod${uid}`);
      expect(await cgroups.podGroup(uid)).toBe(folder);
      await remove(`${quality}pod${uid}`);
      expect(await cgroups.podGroup(uid)).toBeUndefined();
    },
  );

  test.each(['', '..', '../../system.slice', 'pod/..', 'A'.repeat(36), `${randomUUID()}/..`])(
    'what is no UID (%j) is no pod',
    async (uid) => {
      expect(await world().cgroups.podGroup(uid)).toBeUndefined();
    },
  );

  test('limits are set, changed and taken off, and others of the group stay', async () => {
    const { cgroups, device, add, remove } = world();
    const group = await add(`pod${randomUUID()}/container`);
    expect(await cgroups.read(group, device)).toEqual({});
    await cgroups.set(group, device, { rbps: 10n * MiB, wiops: 500n });
    expect(await cgroups.read(group, device)).toEqual({ rbps: 10n * MiB, wiops: 500n });
    await cgroups.set(group, device, { wbps: 20n * MiB, wiops: 400n });
    expect(await cgroups.read(group, device)).toEqual({ wbps: 20n * MiB, wiops: 400n });
    expect(await cgroups.read(group, missingDevice)).toEqual({});
    await cgroups.set(group, device, {});
    expect(await cgroups.read(group, device)).toEqual({});
    await remove(group);
  });

  test('a limit has to be in the groups that it covers', async () => {
    const { cgroups, version, add } = world();
    const uid = randomUUID();
    const pod = await add(`pod${uid}`);
    expect(await cgroups.groupsOf(pod)).toEqual(version === 2 ? [pod] : []);
    const [main, inner] = [await add(`pod${uid}/main`), await add(`pod${uid}/main/inner`)];
    expect([...(await cgroups.groupsOf(pod))].sort()).toEqual(version === 2 ? [pod] : [main, inner].sort());
  });

  test('a device that has gone and a group that has gone are named by their errno', async () => {
    const { cgroups, device, add, remove } = world();
    const path = `pod${randomUUID()}/container`;
    const group = await add(path);
    await expect(cgroups.set(group, missingDevice, { rbps: MiB })).rejects.toMatchObject({ code: 'ENODEV' });
    await remove(path);
    await expect(cgroups.set(group, device, { rbps: MiB })).rejects.toMatchObject({ code: 'ENOENT' });
    expect(await cgroups.groupsOf(group)).toEqual(world().version === 2 ? [group] : []);
  });
}
