// The engine `tmpfs` on the real kernel, through the service's socket.
import { execFileSync } from 'node:child_process';
import { readFile, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { mountCapability, TestNode } from '../../csi/fake/testnode.ts';
import { kernelMounts } from '../../linux/mount.ts';
import { makeSharedFolder } from './sharedfolder.ts';
import type { SharedFolder } from './sharedfolder.ts';
import { createVolume, serveVolume, takeBack, takeFromPod, unmountBelow } from './volumelife.ts';
import type { WantedVolume } from './volumelife.ts';

const MiB = 1024 * 1024;
const capability = mountCapability({ fs_type: 'tmpfs', mount_flags: ['noexec'] });
const v: WantedVolume = { name: 'v', capability, bytes: 32 * MiB };

let shared: SharedFolder;
let host: TestNode;

beforeAll(async () => {
  shared = await makeSharedFolder();
});
afterAll(async () => {
  await shared.close();
});
beforeEach(async () => {
  host = await TestNode.make({ base: shared.path, engine: 'tmpfs', capacity: '256Mi', storage: { central: true } });
  await host.start();
});
afterEach(async () => {
  await host.stop();
  await unmountBelow(host.folder);
  await host.close();
});

/** Everything of ours there is: files, and mounts below the node's folder. */
async function remains(): Promise<readonly string[]> {
  const files: string[] = [];
  for (const folder of ['images', 'trash', 'meta']) files.push(...(await readdir(join(host.pool, folder))));
  const mounts = (await kernelMounts().list()).map(({ mountPoint }) => mountPoint);
  return [...files, ...mounts.filter((path) => path.startsWith(`${host.folder}/`))];
}

/** Space is given back after the answer. */
async function nothingRemains(): Promise<void> {
  await expect.poll(remains, { timeout: 20_000 }).toEqual([]);
}

test('a volume lives through every call twice, with data, and nothing remains', async () => {
  const served = await serveVolume(host, v);
  expect(await serveVolume(host, v)).toEqual(served);
  await writeFile(join(served.target, 'file'), 'precious');
  for (const path of [served.staging, served.target]) {
    const [mount] = (await kernelMounts().list()).filter(({ mountPoint }) => mountPoint === path);
    expect(mount?.fsType).toBe('tmpfs');
    expect(mount?.options).toEqual(expect.arrayContaining(['nosuid', 'nodev', 'noexec']));
  }
  expect((await stat(served.target)).mode & 0o7777).toBe(0o755);
  await takeBack(host, served);
  await takeBack(host, served);
  await nothingRemains();
});

test('its bytes stay for the next pod and over a restart of the agent, and end with the boot', async () => {
  const served = await serveVolume(host, v);
  await writeFile(join(served.target, 'file'), 'precious');
  await takeFromPod(host, served);
  await host.start();
  expect(await serveVolume(host, v)).toEqual(served);
  await host.start();
  expect(await readFile(join(served.target, 'file'), 'utf8')).toBe('precious');
  await host.stop();
  await unmountBelow(host.folder);
  await rm(join(host.folder, 'run'), { recursive: true });
  await host.start();
  expect(await serveVolume(host, v)).toEqual(served);
  expect(await readdir(served.target)).toEqual([]);
  await writeFile(join(served.target, 'file'), 'new');
  await takeBack(host, served);
  await nothingRemains();
});

test('it shares no root with another mount, for then the kubelet would not unstage it', async () => {
  const served = await serveVolume(host, v);
  const ofVolume = (await kernelMounts().list()).filter(({ source }) => source === served.id);
  expect(ofVolume.map(({ mountPoint, root }) => [mountPoint, root]).toSorted()).toEqual(
    [
      [join(host.pool, 'images', served.id), '/'],
      [served.staging, '/data'],
      [served.target, '/data'],
    ].toSorted(),
  );
  await takeBack(host, served);
});

test('a pod goes on when somebody takes it off the pool; it does not grow, and the next pod has an empty one', async () => {
  const served = await serveVolume(host, v);
  await writeFile(join(served.target, 'file'), 'precious');
  execFileSync('umount', [join(host.pool, 'images', served.id)]);
  const grow = { volume_id: served.id, volume_path: served.target, capacity_range: { required_bytes: '67108864' } };
  await expect(host.node.NodeExpandVolume(grow)).rejects.toThrow(/its bytes end with the last of them/);
  expect(await readFile(join(served.target, 'file'), 'utf8')).toBe('precious');
  await takeFromPod(host, served);
  await serveVolume(host, { ...v, bytes: 64 * MiB });
  expect(await readdir(served.target)).toEqual([]);
  await takeBack(host, served);
  await nothingRemains();
});

test('it is full for its pod only, takes more when it has grown, and says what it holds', async () => {
  const [served, other] = [await serveVolume(host, v), await serveVolume(host, { ...v, name: 'other' })];
  const big = (target: string, bytes: number): Promise<void> => writeFile(join(target, 'big'), Buffer.alloc(bytes));
  await expect(big(served.target, 40 * MiB)).rejects.toMatchObject({ code: 'ENOSPC' });
  await big(other.target, 20 * MiB);
  const grow = { volume_id: served.id, volume_path: served.target, capacity_range: { required_bytes: '67108864' } };
  await host.node.NodeExpandVolume(grow);
  expect((await host.node.NodeExpandVolume(grow)).capacity_bytes).toBe('67108864');
  await big(served.target, 40 * MiB);
  const { usage } = await host.node.NodeGetVolumeStats({ volume_id: served.id, volume_path: served.target });
  expect(usage).toMatchObject([
    { unit: 'BYTES', total: String(64 * MiB), used: String(40 * MiB), available: String(24 * MiB) },
    { unit: 'INODES', total: String((64 * MiB) / 16384) },
  ]);
  for (const each of [served, other]) await takeBack(host, each);
});

test('it grows also while no pod has it, before a boot and after one', async () => {
  const served = await serveVolume(host, v);
  await writeFile(join(served.target, 'file'), 'precious');
  await takeFromPod(host, served);
  const grow = (mebibytes: number): Promise<unknown> =>
    host.controller.ControllerExpandVolume({
      volume_id: served.id,
      capacity_range: { required_bytes: String(mebibytes * MiB) },
    });
  const total = async (): Promise<string | undefined> => {
    await serveVolume(host, { ...v, bytes: 0 });
    const { usage } = await host.node.NodeGetVolumeStats({ volume_id: served.id, volume_path: served.target });
    return usage[0]?.total;
  };
  await grow(64);
  expect(await total()).toBe(String(64 * MiB));
  expect(await readFile(join(served.target, 'file'), 'utf8')).toBe('precious');
  await unmountBelow(host.folder);
  await grow(128);
  expect(await total()).toBe(String(128 * MiB));
  await takeBack(host, served);
  await nothingRemains();
});

test('it is read-only where it is shown so, beside a pod that writes', async () => {
  const served = await serveVolume(host, v);
  const target = await host.targetPath('reader');
  const common = { volume_id: served.id, staging_target_path: served.staging, volume_capability: capability };
  await host.node.NodePublishVolume({ ...common, target_path: target, readonly: true });
  await writeFile(join(served.target, 'file'), 'text');
  expect(await readFile(join(target, 'file'), 'utf8')).toBe('text');
  await expect(writeFile(join(target, 'file'), 'no')).rejects.toMatchObject({ code: 'EROFS' });
  await host.node.NodeUnpublishVolume({ volume_id: served.id, target_path: target });
  await takeBack(host, served);
});

test('more than the capacity of the pool is refused with figures', async () => {
  const served = await serveVolume(host, { ...v, bytes: 200 * MiB });
  expect((await host.controller.GetCapacity({})).available_capacity).toBe(String(56 * MiB));
  await expect(createVolume(host, { ...v, name: 'more', bytes: 64 * MiB })).rejects.toMatchObject({
    code: 'RESOURCE_EXHAUSTED',
    message: expect.stringMatching(/can take a volume of 56 MiB, 64 MiB asked/) as string,
  });
  await takeBack(host, served);
});

test('snapshots, clones, raw block and other filesystems are refused', async () => {
  const served = await serveVolume(host, v);
  const snapshot = host.controller.CreateSnapshot({ name: 's', source_volume_id: served.id });
  await expect(snapshot).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' });
  const block = { block: {}, access_mode: { mode: 'SINGLE_NODE_WRITER' as const } };
  for (const wanted of [
    { ...v, name: 'clone', source: { volume: { volume_id: served.id } } },
    { ...v, name: 'block', capability: block },
    { ...v, name: 'ext4', capability: mountCapability({ fs_type: 'ext4' }) },
  ])
    await expect(createVolume(host, wanted)).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' });
  await takeBack(host, served);
});

test('a pool whose mounts would end with the agent is refused with what to do', async () => {
  await host.stop();
  execFileSync('mount', ['--bind', host.pool, host.pool]);
  execFileSync('mount', ['--make-private', host.pool]);
  await expect(host.start()).rejects.toMatchObject({
    code: 'FAILED_PRECONDITION',
    message: expect.stringMatching(/is not a shared mount.*mountPropagation: Bidirectional/) as string,
  });
});
