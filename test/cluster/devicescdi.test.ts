/** Devices by CDI: containerd reads the file at each start of a container, so that a device which came back as another is found. */
import { rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { addLoop, loopNumbers, removeLoop } from './blockdevices.ts';
import { answerFor } from './checkpoint.ts';
import { containerOf, containersPod, environmentOf, insideContainer, restartContainer } from './containers.ts';
import { askAgain, devicesOf, offered, useDeviceRules } from './devicerules.ts';
import type { Rule } from './devicerules.ts';
import { eventually, useScene } from './scene.ts';

const scene = useScene('devices-cdi');
const { cluster } = scene;
const rules = useDeviceRules(cluster);
const node = cluster.nodes[1]!;
const loops = loopNumbers(3) as [number, number, number];
/** A link as udev makes them: it leads to the device, whatever number that has today. */
const link = `/dev/berth-test-${process.pid}`;
const file = '/run/cdi/berth-cdi.test_disk.json';

const disk = (greeting: string): Rule => ({
  name: 'cdi.test/disk',
  paths: [link],
  injection: 'cdi',
  container: { path: '/dev/disk', env: { DISK: '{{path}}', GREETING: greeting } },
});
/** The same hardware cannot have two owners, so this one has a link of its own. */
const linked = { name: 'cdi.test/linked', paths: [`${link}-spec`], container: { path: '/dev/disk' } };

function lead(name: string, number: number): void {
  rmSync(name, { force: true });
  symlinkSync(`loop${number}`, name);
  // What udev says when it is done with a device.
  writeFileSync(`/sys/block/loop${number}/uevent`, 'change');
}

beforeAll(async () => {
  loops.forEach(addLoop);
  lead(link, loops[0]);
  lead(`${link}-spec`, loops[2]);
  await rules.set(disk('hello'), linked);
  for (const name of ['cdi.test/disk', 'cdi.test/linked']) await offered(cluster, node.name, name, 1);
  await scene.apply(
    containersPod('pod', node.name, [
      { name: 'cdi', limits: { 'cdi.test/disk': 1 } },
      { name: 'link', limits: { 'cdi.test/linked': 1 } },
    ]),
  );
  await scene.ready('pod');
});
afterAll(() => {
  for (const name of [link, `${link}-spec`]) rmSync(name, { force: true });
  loops.forEach(removeLoop);
});

/** The minor number, which is that of the loop device, of the node in a container. */
async function minorIn(container: string): Promise<number> {
  const { text } = await insideContainer(scene, 'pod', container, 'exec 3</dev/disk && stat -c %T /dev/disk');
  return parseInt(text, 16);
}

test('a container gets node and variables from the CDI file alone: the kubelet is told a name and no node', async () => {
  expect(await minorIn('cdi')).toBe(loops[0]);
  expect(await environmentOf(scene, 'pod', 'cdi')).toMatchObject({ DISK: '/dev/disk', GREETING: 'hello' });
  const [unit] = await devicesOf(cluster, node, 'cdi.test/disk');
  const answer = await answerFor(node, 'cdi.test/disk');
  expect(answer).toContain(`cdi.test/disk=${unit!.id}`);
  expect(answer).not.toContain(link);
  expect(answer).not.toContain('/dev/loop');
});

test('a rule that names a link without CDI tells the kubelet the link', async () => {
  expect(await minorIn('link')).toBe(loops[2]);
  expect(await answerFor(node, 'cdi.test/linked')).toContain(`${link}-spec`);
});

test('a device that comes back under another number keeps its ID; the container has it from its next start on', async () => {
  const [before] = await devicesOf(cluster, node, 'cdi.test/disk');
  lead(link, loops[1]);
  const after = await eventually('the device to have its new number', 30, async () => {
    const [unit] = await devicesOf(cluster, node, 'cdi.test/disk');
    return unit?.nodes[0] === `/dev/loop${loops[1]}` ? unit : undefined;
  });
  expect(after.id).toBe(before!.id);
  expect(await minorIn('cdi')).toBe(loops[0]);
  await restartContainer(scene, 'pod', 'cdi');
  expect(await minorIn('cdi')).toBe(loops[1]);
});

test('the same holds for a link that is told to the kubelet', async () => {
  lead(`${link}-spec`, loops[0]);
  await eventually('the device to have its new number', 30, async () => {
    const [unit] = await devicesOf(cluster, node, 'cdi.test/linked');
    return unit?.nodes[0] === `/dev/loop${loops[0]}` ? unit : undefined;
  });
  await restartContainer(scene, 'pod', 'link');
  expect(await minorIn('link')).toBe(loops[0]);
});

test('a container that starts again has what the rule says by then', async () => {
  await rules.set(disk('good morning'), linked);
  await eventually('the CDI file to be written anew', 30, async () => {
    const { stdout } = await node.exec(['cat', file]);
    return stdout.includes('GREETING=good morning') ? true : undefined;
  });
  await restartContainer(scene, 'pod', 'cdi');
  expect(await environmentOf(scene, 'pod', 'cdi')).toMatchObject({ GREETING: 'good morning' });
});

test('without its rule a container goes on, waits with the reason when it has ended, and starts when the rule is back', async () => {
  await rules.set(linked);
  await offered(cluster, node.name, 'cdi.test/disk', 0);
  expect(await minorIn('cdi')).toBe(loops[1]);
  // The file stays for as long as somebody holds the device.
  expect((await node.exec(['cat', file])).stdout).toContain('cdi.test/disk');
  await insideContainer(scene, 'pod', 'cdi', 'kill 1');
  await eventually('the container to wait for its device', 60, async () => {
    const { waiting } = await containerOf(scene, 'pod', 'cdi');
    return /cdi\.test\/disk .*has been stopped/.test(waiting) ? true : undefined;
  });
  await rules.set(disk('welcome back'), linked);
  await eventually('the container to run again', 60, async () =>
    (await containerOf(scene, 'pod', 'cdi')).ready ? true : undefined,
  );
  expect(await minorIn('cdi')).toBe(loops[1]);
});

test('the file goes with the rule and the last container that has its device', async () => {
  await scene.remove('pod', 'pod');
  await rules.clear();
  await askAgain(scene, node.name);
  await eventually('the CDI file to be removed', 60, async () =>
    (await node.exec(['test', '-e', file])).code === 0 ? undefined : true,
  );
});
