// Who gets the limits of a volume, and when they go, on hierarchies that a temporary folder imitates.
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createLogger } from '../kit/log.ts';
import { blockCgroups } from '../linux/blockcgroup.ts';
import { FakeCgroups } from '../linux/fake/cgroups.ts';
import { VolumeLimits } from './volumelimits.ts';

const [podA, podB] = ['aaaaaaaa-0000-4000-8000-000000000000', 'bbbbbbbb-0000-4000-8000-000000000000'];
const targetOf = (uid: string): string => `/k/pods/${uid}/volumes/kubernetes.io~csi/pv/mount`;
const [a, b] = [targetOf(podA), targetOf(podB)];
const [atA, atB] = [{ path: a }, { path: b }];
const id = 'v1-00000000-00000000000000000000000000';
const limited = { id, mutable: { 'bps.write': '10Mi', 'iops.read': '500' } };
const unlimited = { id, mutable: { 'bps.write': 'max' } };
const device = '7:1';

let fake: FakeCgroups;
let limits: VolumeLimits;

function restart(): void {
  limits = new VolumeLimits({
    cgroups: blockCgroups(fake.root, fake.write),
    kubeletRoot: '/k',
    log: createLogger('error', { write: () => undefined }),
  });
}

async function use(version: 1 | 2): Promise<void> {
  fake = await FakeCgroups.make(version);
  restart();
}

afterEach(async () => {
  limits.stop();
  await fake.close();
});

const tenMiB = 10 * 1024 * 1024;
const podGroup = (uid: string): string => `kubepods/besteffort/pod${uid}`;

describe('cgroup v2', () => {
  const max = `7:1 rbps=max wbps=${tenMiB} riops=500 wiops=max`;
  const inPod = (uid: string): string => `${podGroup(uid)} io.max`;
  beforeEach(async () => {
    await use(2);
    await fake.add(`${podGroup(podA)}/container`);
    await fake.add(podGroup(podB));
  });

  test("a pod's group has the limits while it has the volume, and nobody else", async () => {
    await limits.enter(limited, device, a);
    await limits.enter(limited, device, a);
    expect(await fake.dump()).toEqual({ [inPod(podA)]: max });
    await limits.leave(limited, device, a, []);
    await limits.leave(limited, device, a, []);
    expect(await fake.dump()).toEqual({});
  });

  test('limits change in all pods that have the volume, and go with the last', async () => {
    await limits.enter(limited, device, a);
    await limits.enter(limited, device, b);
    await limits.change({ id, mutable: { 'iops.write': '100' } }, device, [atA, atB]);
    const changed = '7:1 rbps=max wbps=max riops=max wiops=100';
    expect(await fake.dump()).toEqual({ [inPod(podA)]: changed, [inPod(podB)]: changed });
    await limits.leave(limited, device, a, [atB]);
    expect(await fake.dump()).toEqual({ [inPod(podB)]: changed });
    await limits.change(unlimited, device, [atB]);
    expect(await fake.dump()).toEqual({});
  });

  test('a raw block volume is limited by the same', async () => {
    await limits.enter(limited, device, `/k/plugins/kubernetes.io/csi/volumeDevices/publish/pv/${podB}`);
    expect(await fake.dump()).toEqual({ [inPod(podB)]: max });
  });

  test('a device number that another volume had before has the limits of this one', async () => {
    await limits.enter(limited, device, a);
    await limits.enter({ id, mutable: {} }, device, a);
    expect(await fake.dump()).toEqual({});
  });

  test('a restarted agent sets what is missing, and passes over pods that have gone', async () => {
    restart();
    await fake.remove(podGroup(podB));
    await limits.change(limited, device, [atA, atB]);
    expect(await fake.dump()).toEqual({ [inPod(podA)]: max });
  });

  test('a pod without a cgroup waits; a target of no pod is refused', async () => {
    await fake.remove(podGroup(podA));
    await expect(limits.enter(limited, device, a)).rejects.toMatchObject({
      code: 'UNAVAILABLE',
      message: expect.stringMatching(/pod aaaaaaaa-.* has no cgroup yet \(looked in \/kubepods\)/) as string,
    });
    await expect(limits.enter(limited, device, '/k/pods/x/volumes/y')).rejects.toMatchObject({
      code: 'FAILED_PRECONDITION',
    });
    await limits.enter(unlimited, device, a);
    await limits.leave(limited, device, a, []);
    expect(await fake.dump()).toEqual({});
  });
});

describe('cgroup v1', () => {
  const wbps = `. write_bps_device`;
  const inContainer = (uid: string, name: string): Record<string, string> => ({
    [`${podGroup(uid)}/${name} write_bps_device`]: `7:1 ${tenMiB}`,
    [`${podGroup(uid)}/${name} read_iops_device`]: '7:1 500',
  });
  beforeEach(async () => {
    await use(1);
    await fake.add(`${podGroup(podA)}/sandbox`);
    await fake.add(podGroup(podB));
  });

  test('each container has the limits, also one that starts later, and the node when it writes back', async () => {
    await limits.enter(limited, device, a);
    const first = { [wbps]: `7:1 ${tenMiB}`, ...inContainer(podA, 'sandbox') };
    expect(await fake.dump()).toEqual(first);
    await fake.add(`${podGroup(podA)}/main`);
    await expect.poll(() => fake.dump()).toEqual({ ...first, ...inContainer(podA, 'main') });
    await limits.change({ id, mutable: { 'iops.read': '500' } }, device, [atA]);
    const containers = ['main', 'sandbox'].map((name) => [`${podGroup(podA)}/${name} read_iops_device`, '7:1 500']);
    expect(await fake.dump()).toEqual(Object.fromEntries(containers));
    await limits.leave(limited, device, a, []);
    expect(await fake.dump()).toEqual({});
  });

  test('a container that starts after the volume has left has no limits', async () => {
    await limits.enter(limited, device, a);
    await limits.enter(limited, device, b);
    await limits.leave(limited, device, a, [atB]);
    await fake.add(`${podGroup(podA)}/late`);
    await fake.add(`${podGroup(podB)}/main`);
    await expect.poll(() => fake.dump()).toEqual({ [wbps]: `7:1 ${tenMiB}`, ...inContainer(podB, 'main') });
    await limits.leave(limited, device, b, []);
    expect(await fake.dump()).toEqual({});
  });

  test("a pod that goes takes its groups with it; the node's own part goes when the volume is given back", async () => {
    await limits.enter(limited, device, a);
    await fake.remove(podGroup(podA));
    expect(await fake.dump()).toEqual({ [wbps]: `7:1 ${tenMiB}` });
    await limits.leave(limited, device, a, []);
    expect(await fake.dump()).toEqual({});
  });

  test('a device that is attached anew takes off what its number was left with', async () => {
    await limits.enter(limited, device, a);
    await fake.remove(podGroup(podA));
    await limits.reset(device);
    expect(await fake.dump()).toEqual({});
  });
});

describe('what cannot be limited', () => {
  beforeEach(async () => {
    await use(2);
  });

  test('is refused where the pool has no devices, and where the node has no such cgroups', async () => {
    await expect(limits.enter(limited, undefined, a)).rejects.toMatchObject({
      code: 'FAILED_PRECONDITION',
      message: expect.stringContaining('use a pool of the engine "image"') as string,
    });
    const cgroups = blockCgroups(`${fake.root}/nothing`);
    const none = new VolumeLimits({
      cgroups,
      kubeletRoot: '/k',
      log: createLogger('error', { write: () => undefined }),
    });
    await expect(none.enter(limited, device, a)).rejects.toMatchObject({
      code: 'FAILED_PRECONDITION',
      message: expect.stringContaining('this node cannot limit I/O') as string,
    });
    await none.enter(unlimited, device, a);
    await none.enter(unlimited, undefined, a);
    await none.leave(limited, device, a, []);
  });
});
