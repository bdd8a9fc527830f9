/** What the scheduler sees of devices that come, go, break and mend: compressed memory devices made and removed on this kernel. */
import { afterAll, describe, expect, test } from 'vitest';
import { addZram, removeZram, resetZram, sizeZram } from './blockdevices.ts';
import { containerOf, environmentOf, insideContainer } from './containers.ts';
import { askAgain, devicesOf, offered, useDeviceRules } from './devicerules.ts';
import { eventually, podManifest, useScene } from './scene.ts';

const scene = useScene('device-capacity');
const { cluster } = scene;
const rules = useDeviceRules(cluster);
const node = cluster.nodes[1]!;
const made: number[] = [];

function make(wanted?: number): number {
  const number = addZram(wanted);
  made.push(number);
  return number;
}
afterAll(async () => {
  // The agents look at them until the rules are gone.
  await rules.clear();
  made.forEach(removeZram);
});

const podFor = (name: string, resource: string): object =>
  podManifest(name, { node: node.name, limits: { [resource]: 1 } });

const offeredHere = (resource: string, allocatable: number, capacity?: number): Promise<void> =>
  offered(cluster, node.name, resource, allocatable, capacity);

const opens = async (pod: string, path: string): Promise<string> =>
  (await insideContainer(scene, pod, 'main', `exec 3<>${path} && echo open`)).text;

describe('a device that is plugged in and out', () => {
  const resource = 'capacity.test/disk';
  const number = make();
  const path = `/dev/zram${number}`;
  let id = '';

  test('starts the pod that waits for it as soon as it is there', async () => {
    removeZram(number);
    await rules.set({ name: resource, paths: [path], health: { removalGraceSeconds: 2 } });
    await scene.apply(podFor('waits', resource));
    expect(await scene.event('Pod', 'waits', new RegExp(`Insufficient ${resource}`))).toContain(resource);
    expect((await scene.pod('waits')).status.phase).toBe('Pending');
    await offeredHere(resource, 0);
    make(number);
    await offeredHere(resource, 1);
    await scene.ready('waits');
    sizeZram(number);
    expect(await opens('waits', path)).toBe('open');
    id = (await environmentOf(scene, 'waits', 'main'))['DEVICES_CAPACITY_TEST_DISK_IDS']!;
  });

  test('is unhealthy and not forgotten while it is away and its pod goes on', async () => {
    await eventually('the agent to know who has it', 40, async () =>
      (await devicesOf(cluster, node, resource))[0]?.holders[0]?.pod === 'waits' ? true : undefined,
    );
    removeZram(number);
    await offeredHere(resource, 0, 1);
    expect((await containerOf(scene, 'waits', 'main')).restarts).toBe(0);
    const [unit] = await devicesOf(cluster, node, resource);
    expect(unit).toMatchObject({ id, health: 'Unhealthy', reason: 'it is gone from the node' });
    expect(await scene.event('Pod', 'waits', /is ill/)).toContain(
      `${id} of ${resource} is ill: it is gone from the node`,
    );
  });

  test('is the same when it comes back', async () => {
    make(number);
    await offeredHere(resource, 1);
    expect(await devicesOf(cluster, node, resource)).toMatchObject([{ id, health: 'Healthy' }]);
    expect(await scene.event('Pod', 'waits', /healthy again/)).toContain(`${id} of ${resource}`);
    await scene.remove('pod', 'waits');
    await askAgain(scene, node.name);
  });

  test('is forgotten after its time of grace when nobody has it', async () => {
    removeZram(number);
    await offeredHere(resource, 0);
    expect(await devicesOf(cluster, node, resource)).toEqual([]);
  });
});

describe('a device whose attribute in sysfs says whether it works', () => {
  const resource = 'capacity.test/memory';
  const number = make();

  test('is counted and not given away while it does not', async () => {
    await rules.set({
      name: resource,
      paths: [`/dev/zram${number}`],
      health: { attributes: [{ name: 'initstate', is: '1' }], intervalSeconds: 0.5 },
    });
    await offeredHere(resource, 0, 1);
    await scene.apply(podFor('first', resource));
    expect(await scene.event('Pod', 'first', new RegExp(`Insufficient ${resource}`))).toContain(resource);
    expect(await devicesOf(cluster, node, resource)).toMatchObject([
      { health: 'Unhealthy', reason: 'it has initstate "0", not 1' },
    ]);
  });

  test('is given away when it does', async () => {
    sizeZram(number);
    await offeredHere(resource, 1);
    await scene.ready('first');
    expect(await opens('first', `/dev/zram${number}`)).toBe('open');
  });

  test('leaves the pod that has it alone when it breaks, and mends', async () => {
    const before = await containerOf(scene, 'first', 'main');
    resetZram(number);
    await offeredHere(resource, 0, 1);
    expect((await scene.pod('first')).status.phase).toBe('Running');
    sizeZram(number);
    await offeredHere(resource, 1);
    expect(await containerOf(scene, 'first', 'main')).toEqual(before);
    await scene.remove('pod', 'first');
  });
});

test('of four devices as many are allocatable as are healthy, and pods get those', async () => {
  const resource = 'capacity.test/four';
  const numbers = [0, 1, 2, 3].map(() => make());
  await rules.set({
    name: resource,
    paths: numbers.map((number) => `/dev/zram${number}`),
    health: { attributes: [{ name: 'initstate', is: '1' }], intervalSeconds: 0.5 },
  });
  await offeredHere(resource, 0, 4);
  const [first, ...others] = numbers as [number, number, number, number];
  sizeZram(first);
  await offeredHere(resource, 1, 4);
  others.forEach(sizeZram);
  await offeredHere(resource, 4, 4);
  [first, ...others.slice(0, 2)].forEach(resetZram);
  await offeredHere(resource, 1, 4);
  await scene.apply(podFor('last', resource));
  await scene.ready('last');
  expect(await opens('last', `/dev/zram${others[2]}`)).toBe('open');
  await scene.remove('pod', 'last');
});
