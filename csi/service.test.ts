// The storage service over its socket, on a kernel that keeps state in memory.
import { mkdir, readdir, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { SystemCallError } from '../linux/libc.ts';
import { FakeStorageKernel } from '../linux/fake/storage.ts';
import type { VolumeCapability } from '../protos/types/csi/v1/VolumeCapability.ts';
import { blockCapability, mountCapability, TestNode } from './fake/testnode.ts';

const MiB = 1024 * 1024;
const kernelBytes = 4n << 30n;
let kernel = new FakeStorageKernel(kernelBytes);
let host: TestNode;

beforeEach(async () => {
  kernel = new FakeStorageKernel(kernelBytes);
  host = await TestNode.make({ kernel });
  await host.start();
});
afterEach(async () => {
  await host.close();
});

const ext4 = mountCapability({ fs_type: 'ext4' });

async function create(name: string, bytes = 64 * MiB, capability: VolumeCapability = ext4): Promise<string> {
  const range = { required_bytes: String(bytes) };
  const request = { name, capacity_range: range, volume_capabilities: [capability] };
  const { volume } = await host.controller.CreateVolume(request);
  return volume!.volume_id;
}

/** Creates, stages and publishes a volume. */
async function serveVolume(
  name: string,
  capability: VolumeCapability = ext4,
): Promise<Record<'id' | 'staging' | 'target', string>> {
  const id = await create(name, 64 * MiB, capability);
  const [staging, target] = [await host.stagingPath(name), await host.targetPath('pod-a')];
  await host.node.NodeStageVolume({ volume_id: id, staging_target_path: staging, volume_capability: capability });
  await publish(id, staging, target, capability);
  return { id, staging, target };
}

async function publish(
  id: string,
  staging: string,
  target: string,
  capability = ext4,
  readonly = false,
): Promise<void> {
  await host.node.NodePublishVolume({
    volume_id: id,
    staging_target_path: staging,
    target_path: target,
    volume_capability: capability,
    readonly,
  });
}

async function twice(call: () => Promise<unknown>): Promise<void> {
  await call();
  await call();
}

async function images(): Promise<string[]> {
  return await readdir(join(host.pool, 'images'));
}

async function available(): Promise<bigint> {
  return BigInt((await host.controller.GetCapacity({})).available_capacity);
}

describe('the life of a volume', () => {
  test.each([
    ['ext4', ext4],
    ['raw block', blockCapability()],
  ])('%s: created, staged, published and taken back, every call twice', async (kind, capability) => {
    const before = await available();
    const { id, staging, target } = await serveVolume('v', capability);
    await serveVolume('v', capability);
    expect(await images()).toEqual([`${id}.img`]);
    expect(kernel.dump()).toEqual({
      loops: ['/dev/loop0'],
      mounts: (kind === 'ext4' ? [staging, target] : [target]).sort(),
    });
    await expect(host.controller.DeleteVolume({ volume_id: id })).rejects.toMatchObject({
      code: 'FAILED_PRECONDITION',
    });
    await twice(() => host.node.NodeUnpublishVolume({ volume_id: id, target_path: target }));
    await expect(stat(target)).rejects.toMatchObject({ code: 'ENOENT' });
    await twice(() => host.node.NodeUnstageVolume({ volume_id: id, staging_target_path: staging }));
    expect(kernel.dump()).toEqual({ loops: [], mounts: [] });
    await twice(() => host.controller.DeleteVolume({ volume_id: id }));
    expect(await images()).toEqual([]);
    expect(await readdir(join(host.pool, 'meta'))).toEqual([]);
    expect(await readdir(join(host.folder, 'run'), { recursive: true })).toHaveLength(1);
    expect(await available()).toBe(before);
  });

  test('a request is answered with exact size and the topology of the node', async () => {
    const { volume } = await host.controller.CreateVolume({
      name: 'v',
      capacity_range: { required_bytes: '67108864', limit_bytes: '67108864' },
      volume_capabilities: [ext4],
      parameters: { 'csi.storage.k8s.io/pvc/name': 'claim', pool: 'default' },
      accessibility_requirements: { requisite: [{ segments: { 'csi.berth.dev/node': 'node-a' } }] },
    });
    expect(volume).toMatchObject({
      capacity_bytes: '67108864',
      volume_context: {},
      accessible_topology: [{ segments: { 'csi.berth.dev/node': 'node-a' } }],
    });
    expect(await host.node.NodeGetInfo({})).toEqual({
      node_id: 'node-a',
      max_volumes_per_node: '1024',
      accessible_topology: { segments: { 'csi.berth.dev/node': 'node-a' } },
    });
  });

  test('the same name with another request is another volume, which cannot be', async () => {
    await create('v');
    await expect(create('v', 128 * MiB)).rejects.toMatchObject({
      code: 'ALREADY_EXISTS',
      message: expect.stringContaining('it has 64 MiB, at least 128 MiB asked') as string,
    });
    await expect(create('v', 64 * MiB, blockCapability())).rejects.toMatchObject({ code: 'ALREADY_EXISTS' });
  });

  test('a volume that is published twice, read-only for one pod', async () => {
    const { id, staging, target } = await serveVolume('v');
    const second = await host.targetPath('pod-b');
    await publish(id, staging, second, ext4, true);
    expect(kernel.dump().mounts).toEqual([staging, target, `${second} ro`].sort());
    await expect(publish(id, staging, second, ext4, false)).rejects.toMatchObject({ code: 'ALREADY_EXISTS' });
    const unstage = host.node.NodeUnstageVolume({ volume_id: id, staging_target_path: staging });
    await expect(unstage).rejects.toMatchObject({ code: 'FAILED_PRECONDITION' });
  });

  test('a single writer has the volume alone', async () => {
    const single = mountCapability({ fs_type: 'ext4' }, 'SINGLE_NODE_SINGLE_WRITER');
    const { id, staging, target } = await serveVolume('v', single);
    const second = await host.targetPath('pod-b');
    await expect(publish(id, staging, second, single)).rejects.toMatchObject({ code: 'FAILED_PRECONDITION' });
    await host.node.NodeUnpublishVolume({ volume_id: id, target_path: target });
    await publish(id, staging, second, single);
  });

  test('figures of a filesystem, of a raw block volume, and none for a path where it is not', async () => {
    const { id, target } = await serveVolume('v');
    const { usage } = await host.node.NodeGetVolumeStats({ volume_id: id, volume_path: target });
    expect(usage.map(({ unit }) => unit)).toEqual(['BYTES', 'INODES']);
    const block = await create('b', MiB, blockCapability());
    const staging = await host.stagingPath('b');
    await host.node.NodeStageVolume({
      volume_id: block,
      staging_target_path: staging,
      volume_capability: blockCapability(),
    });
    const stats = await host.node.NodeGetVolumeStats({ volume_id: block, volume_path: staging });
    expect(stats.usage).toMatchObject([{ unit: 'BYTES', total: '1048576' }]);
    for (const path of ['some/path', await host.targetPath('pod-z'), '/etc'])
      await expect(host.node.NodeGetVolumeStats({ volume_id: id, volume_path: path })).rejects.toMatchObject({
        code: 'NOT_FOUND',
      });
  });
});

describe('room', () => {
  test('a pool that is full says so with figures, and takes a volume again when one is gone', async () => {
    const id = await create('big', 3 * 1024 * MiB);
    await expect(create('more', 3 * 1024 * MiB)).rejects.toMatchObject({
      code: 'RESOURCE_EXHAUSTED',
      message: expect.stringMatching(
        /pool "default" can take a volume of 983 MiB, 3 GiB asked; .*\[pool-full\]/,
      ) as string,
    });
    await host.controller.DeleteVolume({ volume_id: id });
    await create('more', 3 * 1024 * MiB);
  });

  test('room is given back also when the trash cannot be emptied in the call', async () => {
    const id = await create('v');
    await mkdir(join(host.pool, 'trash', 'v1-00000000-00000000000000000000000000.img'));
    await host.controller.DeleteVolume({ volume_id: id });
    expect(await host.registry.metrics()).toContain('berth_csi_pool_reserved_bytes{pool="default"} 0');
  });

  test('parallel creations cannot take the same room', async () => {
    const outcomes = await Promise.allSettled(Array.from({ length: 8 }, (_, i) => create(`v${i}`, 1024 * MiB)));
    expect(outcomes.filter(({ status }) => status === 'fulfilled')).toHaveLength(3);
    expect(await images()).toHaveLength(3);
  });

  test('a space that the filesystem promised and has not is given back and named', async () => {
    kernel.failNext('allocate', new SystemCallError('fallocate', 28, 'x'));
    await expect(create('v')).rejects.toMatchObject({ code: 'RESOURCE_EXHAUSTED' });
    expect(await images()).toEqual([]);
    await create('v');
  });

  test('capacity is zero for another node, another pool, and what cannot be made', async () => {
    const elsewhere = { segments: { 'csi.berth.dev/node': 'node-b' } };
    for (const request of [
      { accessible_topology: elsewhere },
      { parameters: { pool: 'fast' } },
      { volume_capabilities: [mountCapability({ fs_type: 'ntfs' })] },
    ])
      expect((await host.controller.GetCapacity(request)).available_capacity).toBe('0');
    const xfs = await host.controller.GetCapacity({ volume_capabilities: [mountCapability({ fs_type: 'xfs' })] });
    expect(xfs).toMatchObject({ minimum_volume_size: { value: '314572800' } });
    expect(xfs.maximum_volume_size?.value).toBe(xfs.available_capacity);
  });
});

describe('safety', () => {
  test('a failed mkfs leaves nothing and the next call succeeds', async () => {
    kernel.failNext('format', new Error('mkfs broke'));
    await expect(create('v')).rejects.toMatchObject({ message: expect.stringContaining('mkfs broke') as string });
    expect(await images()).toEqual([]);
    expect(await readdir(join(host.pool, 'meta'))).toEqual([]);
    await create('v');
  });

  test('a failed mount detaches what staging attached', async () => {
    const id = await create('v');
    const request = { volume_id: id, staging_target_path: await host.stagingPath('v'), volume_capability: ext4 };
    kernel.failNext('mount', new SystemCallError('mount', 5, 'x'));
    await expect(host.node.NodeStageVolume(request)).rejects.toMatchObject({ code: 'INTERNAL' });
    expect(kernel.dump().loops).toEqual([]);
    await host.node.NodeStageVolume(request);
  });

  test.each([
    ['nothing', { kind: 'empty' }],
    ['a foreign filesystem', { kind: 'filesystem', type: 'ext4', uuid: 'other' }],
    ['noise', { kind: 'unknown' }],
  ] as const)('a volume that suddenly holds %s is neither mounted nor formatted', async (_, content) => {
    const id = await create('v');
    await kernel.overwrite(join(host.pool, 'images', `${id}.img`), content);
    const request = { volume_id: id, staging_target_path: await host.stagingPath('v'), volume_capability: ext4 };
    await expect(host.node.NodeStageVolume(request)).rejects.toMatchObject({ code: 'FAILED_PRECONDITION' });
    expect(kernel.dump()).toEqual({ loops: [], mounts: [] });
    expect(await kernel.filesystems.identify(join(host.pool, 'images', `${id}.img`))).toEqual(content);
  });

  test('a busy target is not taken away, and says so', async () => {
    const { id, target } = await serveVolume('v');
    kernel.busy.add(target);
    const unpublish = host.node.NodeUnpublishVolume({ volume_id: id, target_path: target });
    await expect(unpublish).rejects.toMatchObject({ code: 'BUSY' });
    kernel.busy.delete(target);
    await host.node.NodeUnpublishVolume({ volume_id: id, target_path: target });
  });

  test('a target that leads elsewhere by a symbolic link is refused', async () => {
    const { id, staging } = await serveVolume('v');
    const outside = join(host.folder, 'outside');
    await mkdir(outside);
    await mkdir(join(host.kubeletRoot, 'pods/evil'), { recursive: true });
    await symlink(outside, join(host.kubeletRoot, 'pods/evil/volumes'));
    const target = join(host.kubeletRoot, 'pods/evil/volumes/mount');
    await expect(publish(id, staging, target)).rejects.toMatchObject({ code: 'FAILED_PRECONDITION' });
    expect(await readdir(outside)).toEqual([]);
  });

  test.each(['empty folder', 'empty file'])('an %s that a symbolic link leads to is not removed', async (kind) => {
    const outside = join(host.folder, 'outside');
    await mkdir(outside);
    await (kind === 'empty folder' ? mkdir(join(outside, 'x')) : writeFile(join(outside, 'x'), ''));
    await mkdir(join(host.kubeletRoot, 'pods'), { recursive: true });
    await symlink(outside, join(host.kubeletRoot, 'pods/link'));
    const target_path = join(host.kubeletRoot, 'pods/link/x');
    const refusal = { code: 'FAILED_PRECONDITION', message: expect.stringContaining('symbolic link') as string };
    for (const volume_id of ['inline', 'v1-00000000-00000000000000000000000000', await create('v')])
      await expect(host.node.NodeUnpublishVolume({ volume_id, target_path })).rejects.toMatchObject(refusal);
    expect(await readdir(outside)).toEqual(['x']);
  });

  test('a target with content keeps it', async () => {
    const { id, target } = await serveVolume('v');
    await writeFile(join(target, 'file'), 'the fake shows the folder below the mount');
    const unpublish = host.node.NodeUnpublishVolume({ volume_id: id, target_path: target });
    await expect(unpublish).rejects.toMatchObject({ code: 'INTERNAL' });
    expect(await readFile(join(target, 'file'), 'utf8')).toContain('fake');
  });

  test('a second call for a volume is turned away while the first runs', async () => {
    const names = Array.from({ length: 4 }, () => create('same'));
    const outcomes = await Promise.allSettled(names);
    const won = outcomes.filter(({ status }) => status === 'fulfilled');
    expect(won.length).toBeGreaterThanOrEqual(1);
    for (const outcome of outcomes)
      if (outcome.status === 'rejected') expect(outcome.reason).toMatchObject({ code: 'BUSY' });
    expect(await images()).toHaveLength(1);
  });

  test('of two volumes published at one target at once one is turned away', async () => {
    const requests = await Promise.all(
      ['a', 'b'].map(async (name) => {
        const common = {
          volume_id: await create(name),
          staging_target_path: await host.stagingPath(name),
          volume_capability: ext4,
        };
        await host.node.NodeStageVolume(common);
        return { ...common, target_path: await host.targetPath('pod') };
      }),
    );
    // As a reboot leaves it.
    await mkdir(requests[0]!.target_path);
    const outcomes = await Promise.allSettled(requests.map((request) => host.node.NodePublishVolume(request)));
    expect(outcomes.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected']);
    const loser = outcomes.find((outcome) => outcome.status === 'rejected');
    expect(loser?.reason).toMatchObject({ code: 'BUSY' });
    expect(kernel.dump().mounts.filter((path) => path === requests[0]!.target_path)).toHaveLength(1);
  });

  test('a volume of another pool is not said to be deleted', async () => {
    const volume_id = 'v1-00000000-00000000000000000000000000';
    await expect(host.controller.DeleteVolume({ volume_id })).rejects.toMatchObject({ code: 'FAILED_PRECONDITION' });
    await host.controller.DeleteVolume({ volume_id: 'fake-vol-id' });
  });
});

test.each(['../pool', '../../pool/pool', '../../../etc'])(
  'a volume ID that is a path (%s) names no file',
  async (volume_id) => {
    const victims = [join(host.pool, 'pool.json'), join(host.folder, 'run/pool.json')];
    await writeFile(victims[1]!, '{}');
    await host.node.NodeUnpublishVolume({ volume_id, target_path: await host.targetPath('pod-a') });
    for (const victim of victims) await stat(victim);
  },
);

describe('a restart', () => {
  test('keeps volumes and mounts, and recognises repeated calls', async () => {
    const { id, staging, target } = await serveVolume('v');
    await host.start();
    await serveVolume('v');
    expect(kernel.dump()).toEqual({ loops: ['/dev/loop0'], mounts: [staging, target].sort() });
    const other = mountCapability({ fs_type: 'ext4', mount_flags: ['noatime'] });
    const request = { volume_id: id, staging_target_path: staging, volume_capability: other };
    await expect(host.node.NodeStageVolume(request)).rejects.toMatchObject({ code: 'ALREADY_EXISTS' });
  });

  test('after a reboot the kubelet stages again', async () => {
    const { id, staging, target } = await serveVolume('v');
    await host.stop();
    kernel.reboot();
    await rm(join(host.folder, 'run'), { recursive: true });
    await host.start();
    await serveVolume('v');
    expect(kernel.dump()).toEqual({ loops: ['/dev/loop0'], mounts: [staging, target].sort() });
    await host.node.NodeUnpublishVolume({ volume_id: id, target_path: target });
  });

  test('after a reboot a volume of a pod that is gone is taken back without complaint', async () => {
    const { id, staging, target } = await serveVolume('v');
    await host.stop();
    kernel.reboot();
    await host.start();
    await host.node.NodeUnpublishVolume({ volume_id: id, target_path: target });
    await host.node.NodeUnstageVolume({ volume_id: id, staging_target_path: staging });
    await host.controller.DeleteVolume({ volume_id: id });
  });

  test('detaches what nobody uses, and leaves a staged raw block volume alone', async () => {
    const [idle, staged] = [await create('idle'), await create('block', MiB, blockCapability())];
    const staging = await host.stagingPath('block');
    await host.node.NodeStageVolume({
      volume_id: staged,
      staging_target_path: staging,
      volume_capability: blockCapability(),
    });
    await kernel.loops.attach(join(host.pool, 'images', `${idle}.img`), { readonly: false });
    await host.start();
    expect(await kernel.loops.find(join(host.pool, 'images', `${idle}.img`))).toBeUndefined();
    expect(await kernel.loops.find(join(host.pool, 'images', `${staged}.img`))).toBeDefined();
  });

  test('keeps and counts files it does not know', async () => {
    await host.stop();
    await kernel.filesystems.allocate(join(host.pool, 'images', 'notes.img'), 1n << 30n);
    await writeFile(join(host.pool, 'meta', 'torn.json'), '{"format":1');
    await host.start();
    expect(await images()).toEqual(['notes.img']);
    expect(await readdir(join(host.pool, 'meta'))).toEqual(['torn.json']);
    expect(await host.registry.getSingleMetricAsString('berth_csi_start_findings')).toContain(
      '{pool="default",kind="strangers"} 1',
    );
  });

  test('is not stopped by a link that leads nowhere', async () => {
    await host.stop();
    await symlink('/nowhere', join(host.pool, 'images', 'dangling'));
    await host.start();
    expect(await images()).toEqual(['dangling']);
  });

  test('a second agent on the pool does not start', async () => {
    const second = await TestNode.make({ kernel, pool: host.pool });
    await expect(second.start()).rejects.toMatchObject({ code: 'BUSY' });
    await second.close();
  });

  test('a pool that lost its identity is not adopted', async () => {
    await create('v');
    await host.stop();
    await rm(join(host.pool, 'pool.json'));
    await expect(host.start()).rejects.toMatchObject({ code: 'FAILED_PRECONDITION' });
  });
});

test('a driver socket that vanished is served again', async () => {
  await rm(join(host.kubeletRoot, 'plugins/csi.berth.dev'), { recursive: true });
  await expect
    .poll(() => host.identity.Probe({}).catch(() => undefined), { timeout: 5_000 })
    .toMatchObject({ ready: { value: true } });
});

test('calls are counted by method and code', async () => {
  await create('v');
  await expect(host.controller.DeleteVolume({})).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' });
  const text = await host.registry.metrics();
  expect(text).toContain('berth_csi_calls_total{method="CreateVolume",code="OK"} 1');
  expect(text).toContain('berth_csi_calls_total{method="DeleteVolume",code="INVALID_ARGUMENT"} 1');
  expect(text).toContain('berth_csi_pool_reserved_bytes{pool="default"} 67108864');
});
