// I/O limits on the real kernel: the files of its cgroups, and what a limit really slows.
import { execFileSync } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { blockCapability, mountCapability, TestNode } from '../../csi/fake/testnode.ts';
import { blockCgroups } from '../../linux/blockcgroup.ts';
import type { BlockLimits } from '../../linux/blockcgroup.ts';
import { blockCgroupContract } from '../../linux/fake/blockcgroupcontract.ts';
import { kernelFilesystems } from '../../linux/filesystem.ts';
import { kernelLoopDevices } from '../../linux/loop.ts';
import type { VolumeCapability } from '../../protos/types/csi/v1/VolumeCapability.ts';
import { makeScratchCgroups } from './scratchcgroups.ts';
import { makeScratchPool } from './scratchpool.ts';
import type { ScratchPool } from './scratchpool.ts';
import { makeSharedFolder } from './sharedfolder.ts';
import type { SharedFolder } from './sharedfolder.ts';

const MiB = 1024 * 1024;
const scratch = await makeScratchCgroups();
const cgroups = blockCgroups();

describe.skipIf(scratch === undefined)('limits (kernel: needs cgroups that limit block devices)', () => {
  const { version, add, remove, run, close } = scratch!;
  let shared: SharedFolder;
  let pool: ScratchPool;
  let host: TestNode;
  /** What a test that failed has left. */
  const pods = new Set<{ readonly close: () => Promise<void> }>();

  beforeAll(async () => {
    shared = await makeSharedFolder();
    pool = await makeScratchPool('xfs', 1024 * MiB);
    host = await TestNode.make({ base: shared.path, pool: join(pool.path, 'berth'), storage: { central: true } });
    await host.start();
  });
  afterAll(async () => {
    for (const pod of pods) await pod.close().catch(() => undefined);
    await host.close();
    await close();
    await pool.close();
    await shared.close();
  });

  describe('the files', () => {
    const world = { version, cgroups, add, remove, device: '' };
    let image = '';
    beforeAll(async () => {
      image = join(pool.path, 'device.img');
      await kernelFilesystems().allocate(image, BigInt(MiB));
      world.device = (await kernelLoopDevices().attach(image, { readonly: false })).device;
    });
    afterAll(async () => {
      await kernelLoopDevices().detach(image);
    });
    blockCgroupContract(() => world);
  });

  /** A pod with a published volume of these limits, and a container that starts after that. */
  interface Limited {
    readonly id: string;
    readonly target: string;
    readonly container: string;
    readonly device: string;
    readonly limits: () => Promise<BlockLimits>;
    /** What the kernel writes back for this device is limited by; always nothing with cgroup v2. */
    readonly writeBack: () => Promise<BlockLimits>;
    readonly close: () => Promise<void>;
  }

  async function limited(capability: VolumeCapability, mutable: Record<string, string>): Promise<Limited> {
    const uid = randomUUID();
    const { node, controller } = host;
    const request = { name: uid, capacity_range: { required_bytes: String(96 * MiB) }, mutable_parameters: mutable };
    const { volume } = await controller.CreateVolume({ ...request, volume_capabilities: [capability] });
    const id = volume!.volume_id;
    await add(`burstable/pod${uid}`);
    const [staging, target] = [await host.stagingPath(uid), await host.targetPath(uid)];
    const common = { volume_id: id, staging_target_path: staging, volume_capability: capability };
    await node.NodeStageVolume(common);
    await node.NodePublishVolume({ ...common, target_path: target });
    const container = await add(`burstable/pod${uid}/container`);
    const { device } = (await kernelLoopDevices().find(join(pool.path, 'berth/images', `${id}.img`)))!;
    const root = await cgroups.writeBackGroup();
    const group = version === 2 ? join(container, '..') : container;
    const limits = (): Promise<BlockLimits> => cgroups.read(group, device);
    const writeBack = async (): Promise<BlockLimits> => (root === undefined ? {} : await cgroups.read(root, device));
    const close = async (): Promise<void> => {
      // Another agent may run by now.
      await host.node.NodeUnpublishVolume({ volume_id: id, target_path: target });
      expect([await limits(), await writeBack()]).toEqual([{}, {}]);
      await host.node.NodeUnstageVolume({ volume_id: id, staging_target_path: staging });
      await host.controller.DeleteVolume({ volume_id: id });
      await remove(`burstable/pod${uid}`);
      pods.delete(pod);
    };
    const pod = { id, target, container, device, limits, writeBack, close };
    pods.add(pod);
    return pod;
  }

  /** Runs dd in the container; resolves with the bytes a second over all of `then`, which may wait for what is not done yet. */
  async function rateOf(
    { container }: Limited,
    bytes: number,
    operands: readonly string[],
    then: () => void = () => undefined,
  ): Promise<number> {
    const began = performance.now();
    await run(container, ['dd', 'bs=1M', `count=${bytes / MiB}`, 'status=none', ...operands]);
    then();
    return (bytes / (performance.now() - began)) * 1000;
  }

  const ext4 = mountCapability({ fs_type: 'ext4' });
  const limit = 10 * MiB;
  /** Twice the limit: the kernel lets a part of a second through at once, and the clock of a busy machine is no judge. */
  const most = 2 * limit;
  const bytes = 30 * MiB;

  describe.each([
    ['ext4', ext4],
    ['raw block', blockCapability()],
  ])('10 MiB a second of %s', (kind, capability) => {
    let pod: Limited;
    let file = '';
    beforeAll(async () => {
      pod = await limited(capability, { 'bps.read': '10Mi', 'bps.write': '10Mi' });
      file = kind === 'ext4' ? join(pod.target, 'file') : pod.target;
    });
    afterAll(async () => {
      await pod.close();
    });

    test('reaches the container, although that starts after the volume is there', async () => {
      await expect.poll(pod.limits, { timeout: 10_000 }).toEqual({ rbps: BigInt(limit), wbps: BigInt(limit) });
    });

    test('slows writes that go to the disk at once', async () => {
      expect(await rateOf(pod, bytes, ['if=/dev/zero', `of=${file}`, 'oflag=direct'])).toBeLessThan(most);
    });

    test('slows reads, also those through the page cache', async () => {
      expect(await rateOf(pod, bytes, [`if=${file}`, 'of=/dev/null', 'iflag=direct'])).toBeLessThan(most);
      // What is in the page cache already is no I/O: dropped, for this file only.
      execFileSync('dd', [`if=${file}`, 'iflag=nocache', 'count=0', 'status=none']);
      expect(await rateOf(pod, bytes, [`if=${file}`, 'of=/dev/null'])).toBeLessThan(most);
    });

    // Of a device node that somebody has written to before, cgroup v2 counts what is written back as theirs for a while; after
    // about a second of the disk's time it sees who writes now. Files are new for each mount.
    const late = version === 2 && kind === 'raw block';
    const why = late ? ' (kernel: counts it as that of who wrote first)' : '';

    test.skipIf(late)(`slows a write into the page cache when the program waits for the disk${why}`, async () => {
      const operands = ['if=/dev/zero', `of=${file}`, 'conv=fsync,notrunc'];
      expect(await rateOf(pod, bytes, operands)).toBeLessThan(most);
    });

    test.skipIf(late)(`slows what the kernel writes back by itself${why}`, async () => {
      const fresh = kind === 'ext4' ? join(pod.target, 'fresh') : file;
      const rate = rateOf(pod, bytes, ['if=/dev/zero', `of=${fresh}`, 'conv=notrunc'], () => {
        execFileSync('sync', ['--file-system', fresh]);
      });
      expect(await rate).toBeLessThan(most);
    });
  });

  test('200 operations a second are no more', async () => {
    const pod = await limited(blockCapability(), { 'iops.write': '200' });
    await expect.poll(pod.limits, { timeout: 10_000 }).toEqual({ wiops: 200n });
    const began = performance.now();
    await run(pod.container, ['dd', 'if=/dev/zero', `of=${pod.target}`, 'bs=4k', 'count=600', 'oflag=direct']);
    expect(600 / ((performance.now() - began) / 1000)).toBeLessThan(400);
    await pod.close();
  });

  test('a change holds for a pod that runs, and for the next agent', async () => {
    const pod = await limited(ext4, { 'bps.write': '10Mi' });
    const modify = (mutable_parameters: Record<string, string>): Promise<unknown> =>
      host.controller.ControllerModifyVolume({ volume_id: pod.id, mutable_parameters });
    await modify({ 'bps.write': '20Mi', 'iops.read': '500' });
    const changed = { wbps: 20n << 20n, riops: 500n };
    expect(await pod.limits()).toMatchObject(changed);
    await host.stop();
    await cgroups.set(version === 2 ? join(pod.container, '..') : pod.container, pod.device, {});
    await host.start();
    expect(await pod.limits()).toMatchObject(changed);
    expect(await pod.writeBack()).toEqual(version === 2 ? {} : { wbps: 20n << 20n });
    await modify({ 'bps.write': 'max', 'iops.read': '0' });
    expect([await pod.limits(), await pod.writeBack()]).toEqual([{}, {}]);
    await pod.close();
  });
});
