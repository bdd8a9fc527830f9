// Volumes with I/O limits through the whole service: who is limited, and who is told that it cannot be.
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { blockCgroups } from '../linux/blockcgroup.ts';
import { FakeCgroups } from '../linux/fake/cgroups.ts';
import { FakeStorageKernel } from '../linux/fake/storage.ts';
import { SystemCallError } from '../linux/libc.ts';
import { mountCapability, TestNode } from './fake/testnode.ts';

const uid = 'aaaaaaaa-0000-4000-8000-000000000000';
const group = `kubepods/burstable/pod${uid}`;
const volume_capability = mountCapability({ fs_type: 'ext4' });
const max = '7:0 rbps=max wbps=10485760 riops=max wiops=max';

let kernel: FakeStorageKernel;
let cgroups: FakeCgroups;
let host: TestNode;

beforeEach(async () => {
  cgroups = await FakeCgroups.make(2);
  cgroups.devices.add('7:0');
  await cgroups.add(group);
  kernel = new FakeStorageKernel(4n << 30n);
  kernel.cgroups = blockCgroups(cgroups.root, cgroups.write);
  host = await TestNode.make({ kernel, storage: { central: true } });
  await host.start();
});
afterEach(async () => {
  await host.close();
  await cgroups.close();
});

async function create(name: string, mutable_parameters: Record<string, string>): Promise<string> {
  const request = { name, capacity_range: { required_bytes: '67108864' }, volume_capabilities: [volume_capability] };
  const { volume } = await host.controller.CreateVolume({ ...request, mutable_parameters });
  return volume!.volume_id;
}

interface Served {
  readonly volume_id: string;
  readonly target_path: string;
  readonly publish: () => Promise<unknown>;
}

async function stage(mutable: Record<string, string>): Promise<Served> {
  const volume_id = await create('v', mutable);
  const staging_target_path = await host.stagingPath('v');
  await host.node.NodeStageVolume({ volume_id, staging_target_path, volume_capability });
  const target_path = await host.targetPath(uid);
  const request = { volume_id, staging_target_path, target_path, volume_capability };
  return { volume_id, target_path, publish: () => host.node.NodePublishVolume(request) };
}

const limit = { 'bps.write': '10Mi' };

test('a pod is limited from before it sees the volume until it gives it back', async () => {
  const { volume_id, target_path, publish } = await stage(limit);
  expect(await cgroups.dump()).toEqual({});
  await publish();
  expect(await cgroups.dump()).toEqual({ [`${group} io.max`]: max });
  await host.node.NodeUnpublishVolume({ volume_id, target_path });
  expect(await cgroups.dump()).toEqual({});
});

test('a modification holds at once for pods that run, adds to what there is, and can be repeated', async () => {
  const { volume_id, publish } = await stage(limit);
  await publish();
  const modify = { volume_id, mutable_parameters: { 'iops.read': '300' } };
  await host.controller.ControllerModifyVolume(modify);
  await host.controller.ControllerModifyVolume(modify);
  expect(await cgroups.dump()).toEqual({ [`${group} io.max`]: max.replace('riops=max', 'riops=300') });
  await host.controller.ControllerModifyVolume({
    volume_id,
    mutable_parameters: { 'iops.read': '0', 'bps.write': 'max' },
  });
  expect(await cgroups.dump()).toEqual({});
});

test('limits outlive the agent and are set again by the next', async () => {
  const { publish } = await stage(limit);
  await publish();
  await host.stop();
  await cgroups.write(join(cgroups.root, group, 'io.max'), '7:0 wbps=max');
  expect(await cgroups.dump()).toEqual({});
  await host.start();
  expect(await cgroups.dump()).toEqual({ [`${group} io.max`]: max });
});

test('a publish that fails leaves no limit', async () => {
  const { publish } = await stage(limit);
  kernel.failNext('bind', new SystemCallError('move_mount', 5, 'x'));
  await expect(publish()).rejects.toMatchObject({ code: 'INTERNAL' });
  expect(await cgroups.dump()).toEqual({});
  await publish();
});

test('a pod whose cgroup is not there yet is to be tried again, and has nothing mounted meanwhile', async () => {
  await cgroups.remove(group);
  const { publish } = await stage(limit);
  await expect(publish()).rejects.toMatchObject({ code: 'UNAVAILABLE' });
  expect(kernel.dump().mounts).toHaveLength(1);
  await cgroups.add(group);
  await publish();
});

describe('what there cannot be', () => {
  test.each([
    [{ 'bps.writes': '10Mi' }, /did you mean "bps.write"/],
    [{ 'bps.write': '10' }, /1 MiB to 1 TiB/],
    [{ 'bps.write': '10Mi', 'iops.read': 'x' }, /an integer/],
  ])('%j is refused and changes nothing', async (mutable_parameters, message) => {
    const refusal = { code: 'INVALID_ARGUMENT', message: expect.stringMatching(message) as string };
    await expect(create('v', mutable_parameters)).rejects.toMatchObject(refusal);
    const { volume_id, publish } = await stage(limit);
    await publish();
    const modify = host.controller.ControllerModifyVolume({ volume_id, mutable_parameters });
    await expect(modify).rejects.toMatchObject(refusal);
    expect(await cgroups.dump()).toEqual({ [`${group} io.max`]: max });
  });

  test('a modification of nothing, and of a volume that there is not', async () => {
    const volume_id = await create('v', {});
    const { controller } = host;
    await expect(controller.ControllerModifyVolume({ volume_id })).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' });
    const other = { volume_id: 'v1-00000000-00000000000000000000000000', mutable_parameters: limit };
    await expect(controller.ControllerModifyVolume(other)).rejects.toMatchObject({ code: 'NOT_FOUND' });
  });

  test('a limit on a node whose kernel has none', async () => {
    kernel.cgroups = blockCgroups('/nowhere');
    await host.start();
    const refusal = { code: 'FAILED_PRECONDITION', message: expect.stringContaining('cannot limit I/O') as string };
    await expect(create('v', limit)).rejects.toMatchObject(refusal);
    const { volume_id, publish } = await stage({});
    await publish();
    const modify = host.controller.ControllerModifyVolume({ volume_id, mutable_parameters: limit });
    await expect(modify).rejects.toMatchObject(refusal);
  });

  test('a limit for a target that is no pod', async () => {
    const { volume_id } = await stage(limit);
    const staging_target_path = await host.stagingPath('v');
    await mkdir(join(host.kubeletRoot, 'pods/sanity'), { recursive: true });
    const target_path = join(host.kubeletRoot, 'pods/sanity/target');
    const publish = host.node.NodePublishVolume({ volume_id, staging_target_path, target_path, volume_capability });
    await expect(publish).rejects.toMatchObject({ code: 'FAILED_PRECONDITION' });
  });
});
