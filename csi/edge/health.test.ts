// Health over the socket: which calls there are by configuration, and what they say of volumes and pools in bad health.
import { readdir, rename, rm, truncate } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import { FakeStorageKernel } from '../../linux/fake/storage.ts';
import { blockCapability, TestNode } from '../fake/testnode.ts';

let kernel: FakeStorageKernel;
let host: TestNode;

async function start(health?: 'none' | 'condition' | 'full'): Promise<void> {
  kernel = new FakeStorageKernel(8n << 30n);
  host = await TestNode.make({ kernel, ...(health === undefined ? {} : { storage: { health } }) });
  await host.start();
}
afterEach(async () => {
  await host.close();
});

const capability = blockCapability();

async function create(name: string): Promise<string> {
  const range = { required_bytes: '1048576' };
  const { volume } = await host.controller.CreateVolume({
    name,
    capacity_range: range,
    volume_capabilities: [capability],
  });
  return volume!.volume_id;
}

const imageOf = (id: string): string => join(host.pool, 'images', `${id}.img`);

async function stage(name: string): Promise<{ id: string; path: string }> {
  const [id, path] = [await create(name), await host.stagingPath(name)];
  await host.node.NodeStageVolume({ volume_id: id, staging_target_path: path, volume_capability: capability });
  return { id, path };
}

async function capabilities(): Promise<string[]> {
  const { capabilities: node } = await host.node.NodeGetCapabilities({});
  const { capabilities: controller } = await host.controller.ControllerGetCapabilities({});
  const names = [...node, ...controller].map(({ rpc }) => String(rpc?.type));
  return names.filter((name) => /HEALTH|CONDITION/.test(name));
}

test.each([
  ['none', []],
  ['condition', ['VOLUME_CONDITION']],
  ['full', ['VOLUME_CONDITION', 'GET_VOLUME_HEALTH', 'GET_STORAGE_HEALTH', 'GET_VOLUME_HEALTH', 'LIST_VOLUME_HEALTH']],
] as const)('%s offers %j, and answers nothing else', async (mode, offered) => {
  await start(mode);
  expect(await capabilities()).toEqual(offered);
  const { id, path } = await stage('v');
  const { volume_condition } = await host.node.NodeGetVolumeStats({ volume_id: id, volume_path: path });
  expect(volume_condition).toEqual(mode === 'none' ? null : { abnormal: false, message: 'volume is healthy' });
  const calls = [
    host.controller.ControllerGetVolumeHealth({ volume_id: id }),
    host.controller.ControllerListVolumeHealth({}),
    host.node.NodeGetVolumeHealth({ volume_id: id }),
    host.node.NodeGetStorageHealth({}),
  ];
  const outcomes = await Promise.allSettled(calls);
  const refused = outcomes.filter(({ status }) => status === 'rejected');
  expect(refused).toHaveLength(mode === 'full' ? 0 : 4);
  for (const outcome of refused) expect(outcome).toMatchObject({ reason: { code: 'UNSUPPORTED' } });
});

test('without a word in the configuration it is the condition, which says what is wrong and what to do', async () => {
  await start();
  expect(await capabilities()).toEqual(['VOLUME_CONDITION']);
  const { id, path } = await stage('v');
  await truncate(imageOf(id), 4096);
  const abnormal = {
    abnormal: true,
    message: expect.stringMatching(/its end has been cut off; restore a snapshot.*\[ImageSizeMismatch\]/) as string,
  };
  const stats = await host.node.NodeGetVolumeStats({ volume_id: id, volume_path: path });
  expect(stats).toMatchObject({ usage: [{ total: '1048576' }], volume_condition: abnormal });
  const { status } = await host.controller.ControllerGetVolume({ volume_id: id });
  expect(status).toMatchObject({ volume_condition: abnormal });
});

describe('full health', () => {
  test('of a volume that nobody has, and of one whose bytes have gone', async () => {
    await start('full');
    const volume_id = await create('v');
    const { controller, node } = host;
    const well = { volume_health: { volume_id, health_statuses: [] } };
    expect(await controller.ControllerGetVolumeHealth({ volume_id })).toEqual(well);
    expect(await node.NodeGetVolumeHealth({ volume_id, volume_publish_path: '/not/there' })).toEqual(well);
    await rm(imageOf(volume_id));
    const lost = { status: 'DATA_LOSS', reason: 'ImageMissing', message: expect.any(String) as string };
    const bad = { volume_health: { volume_id, health_statuses: [lost] } };
    expect(await controller.ControllerGetVolumeHealth({ volume_id })).toEqual(bad);
    expect(await node.NodeGetVolumeHealth({ volume_id })).toEqual(bad);
  });

  test('a staged volume that something has detached is inaccessible', async () => {
    await start('full');
    const { id: volume_id } = await stage('v');
    // What an administrator can do by hand while no mount keeps the device.
    await kernel.loops.detach(imageOf(volume_id));
    const { volume_health } = await host.controller.ControllerGetVolumeHealth({ volume_id });
    expect(volume_health?.health_statuses).toMatchObject([{ status: 'INACCESSIBLE', reason: 'LoopDetached' }]);
  });

  test('of all volumes, page by page, the healthy as well', async () => {
    await start('full');
    const ids = [await create('a'), await create('b'), await create('c')].sort();
    await rm(imageOf(ids[1]!));
    const found: string[] = [];
    let starting_token = '';
    do {
      const page = await host.controller.ControllerListVolumeHealth({ max_entries: 2, starting_token });
      found.push(...page.entries.map((each) => `${each.volume_id} ${each.health_statuses.length}`));
      starting_token = page.next_token;
    } while (starting_token !== '');
    expect(found).toEqual([`${ids[0]} 0`, `${ids[1]} 1`, `${ids[2]} 0`]);
    const nonsense = host.controller.ControllerListVolumeHealth({ starting_token: '../x' });
    await expect(nonsense).rejects.toMatchObject({ code: 'BUSY' });
  });

  test('of the node: a pool whose disk is not there', async () => {
    await start('full');
    const volume_id = await create('v');
    expect(await host.node.NodeGetStorageHealth({})).toEqual({ backend_health: [] });
    await rename(join(host.pool, 'pool.json'), join(host.folder, 'pool.json'));
    expect(await host.node.NodeGetStorageHealth({})).toMatchObject({
      backend_health: [{ status: 'STORAGE_UNREACHABLE', reason: 'PoolMissing' }],
    });
    await rename(join(host.folder, 'pool.json'), join(host.pool, 'pool.json'));
    expect(await readdir(join(host.pool, 'images'))).toEqual([`${volume_id}.img`]);
  });

  test('there is none of a volume that does not exist', async () => {
    await start('full');
    for (const volume_id of ['v1-00000000-00000000000000000000000000', '../../etc', 'x']) {
      const { controller, node } = host;
      await expect(controller.ControllerGetVolumeHealth({ volume_id })).rejects.toMatchObject({ code: 'NOT_FOUND' });
      await expect(node.NodeGetVolumeHealth({ volume_id })).rejects.toMatchObject({ code: 'NOT_FOUND' });
    }
    await expect(host.node.NodeGetVolumeHealth({})).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' });
  });
});
