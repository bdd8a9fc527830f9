// The trash on the real kernel: a service killed at every point of it, pools that are full, and what commands show and do.
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { open, readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { pino } from 'pino';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { haveAgentDo } from '../../agent/commands/ask.ts';
import { Inspection } from '../../agent/inspection.ts';
import { blockCapability, mountCapability, TestNode } from '../../csi/fake/testnode.ts';
import { trashPoints } from '../../csi/faultpoints.ts';
import type { InspectedVolume } from '../../csi/objectinspection.ts';
import type { StoragePoolView, TrashView, VolumeView } from '../../csi/views.ts';
import { BerthError } from '../../kit/errors.ts';
import { kernelLoopDevices } from '../../linux/loop.ts';
import { kernelMounts } from '../../linux/mount.ts';
import { makeScratchPool } from './scratchpool.ts';
import type { ScratchPool } from './scratchpool.ts';
import { makeSharedFolder } from './sharedfolder.ts';
import type { SharedFolder } from './sharedfolder.ts';

const MiB = 1024 * 1024;
const kinds = [
  ['image', 'xfs', mountCapability({ fs_type: 'ext4' })],
  ['image', 'ext4', blockCapability()],
  ['image', 'btrfs', mountCapability({ fs_type: 'ext4' })],
  ['subvolume', 'btrfs', mountCapability({ fs_type: 'btrfs' })],
] as const;

let shared: SharedFolder;
beforeAll(async () => {
  shared = await makeSharedFolder();
});
afterAll(async () => {
  await shared.close();
});

describe.each(kinds)('%s on %s', (engine, poolType, capability) => {
  let pool: ScratchPool;
  let host: TestNode;
  const open24h = async (trashRetention = '24h'): Promise<TestNode> =>
    await TestNode.make({ base: shared.path, pool: join(pool.path, 'berth'), engine, trashRetention });

  beforeAll(async () => {
    pool = await makeScratchPool(poolType, 1024 * MiB);
  });
  afterAll(async () => {
    await pool.close();
  });
  beforeEach(async () => {
    host = await open24h();
  });
  afterEach(async () => {
    // Without retention the start empties the trash: nothing may be left of what the test deleted.
    await host.stop();
    const last = await open24h('0');
    await last.start();
    expect(await last.view('trash')).toEqual([]);
    const left = await readdir(join(pool.path, 'berth/trash'));
    expect(left.filter((file) => !file.startsWith('.'))).toEqual([]);
    await last.close();
    await host.close();
  });

  const create = async (name: string, bytes: number): Promise<string> => {
    const range = { required_bytes: String(bytes), limit_bytes: String(bytes) };
    const request = { name, capacity_range: range, volume_capabilities: [capability] };
    return (await host.controller.CreateVolume(request)).volume!.volume_id;
  };
  const remove = async (volume_id: string): Promise<unknown> => await host.controller.DeleteVolume({ volume_id });
  const available = async (): Promise<number> => Number((await host.controller.GetCapacity({})).available_capacity);
  const trash = async (): Promise<string[]> => ((await host.view('trash')) as TrashView[]).map(({ name }) => name);

  /** Stages and publishes the volume, runs `work` on its target and takes it back. */
  const withVolume = async <T>(name: string, volume_id: string, work: (target: string) => Promise<T>): Promise<T> => {
    const [staging, target] = [await host.stagingPath(name), await host.targetPath(`pod-${name}`)];
    const common = { volume_id, staging_target_path: staging, volume_capability: capability };
    await host.node.NodeStageVolume(common);
    await host.node.NodePublishVolume({ ...common, target_path: target });
    try {
      return await work(target);
    } finally {
      await untilFree(() => host.node.NodeUnpublishVolume({ volume_id, target_path: target }));
      await untilFree(() => host.node.NodeUnstageVolume({ volume_id, staging_target_path: staging }));
    }
  };
  const fileAt = (target: string): string => ('block' in capability ? target : join(target, 'file'));
  const write = async (target: string, text: string): Promise<void> => {
    const file = await open(fileAt(target), 'block' in capability ? 'r+' : 'w');
    await file.write(text, 0);
    await file.sync();
    await file.close();
  };
  const read = async (target: string, length: number): Promise<string> => {
    const file = await open(fileAt(target), 'r');
    const { buffer } = await file.read(Buffer.alloc(length), 0, length, 0);
    await file.close();
    return buffer.toString();
  };

  describe('killed at', () => {
    test.each(trashPoints)('%s, started again and asked again', async (point) => {
      const socket = join(host.folder, 'agent.sock');
      const script = join(import.meta.dirname, 'mortalstorage.ts');
      const args = [script, host.kubeletRoot, host.pool, join(host.folder, 'run'), point, engine, socket, '24h'];
      const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
      const died = once(child, 'exit');
      await Promise.race([once(child.stdout, 'data'), died]);
      await expect.poll(() => stat(socket).then((found) => found.isSocket())).toBe(true);

      const id = await create('v', 32 * MiB);
      await withVolume('v', id, (target) => write(target, 'precious'));
      const deadly = async (): Promise<void> => {
        await remove(id);
        await haveAgentDo(socket, 'undelete', id);
      };
      // The call in flight fails with the process.
      await expect(deadly()).rejects.toMatchObject({ code: 'UNAVAILABLE' });
      expect(await died).toEqual([null, 'SIGKILL']);

      await host.start();
      // Over before the process ended, or undone: never something between.
      const back = point === 'undelete.ready' || point === 'undelete.forgotten';
      expect([await trash(), ((await host.view('volumes')) as VolumeView[]).length]).toEqual(
        back ? [[], 1] : [['v'], 0],
      );
      if (back) await expect(host.act('undelete', id)).rejects.toMatchObject({ code: 'ALREADY_EXISTS' });
      else {
        // The provisioner repeats the deletion, the administrator his command.
        await remove(id);
        expect(await trash()).toEqual(['v']);
        await host.act('undelete', id);
      }
      expect(await withVolume('v', id, (target) => read(target, 8))).toBe('precious');
      await remove(id);
      expect(await trash()).toEqual(['v']);
      expect(await mine(host, pool)).toEqual([]);
    });
  });

  test('a full pool frees the oldest first for a new volume, and keeps the rest', async () => {
    await host.start();
    const room = await available();
    // Near its end btrfs has no room for a record any more. A subvolume takes only what is written.
    const part = Math.floor(room / (poolType === 'btrfs' ? 4 : 3) / MiB) * MiB;
    for (const name of ['a', 'b', 'c']) {
      const id = await create(name, part);
      if (engine === 'subvolume') await withVolume(name, id, (target) => fill(target, part - 24 * MiB));
      await remove(id);
    }
    expect(await trash()).toEqual(['a', 'b', 'c']);
    const now = await available();
    expect(now).toBeGreaterThan(room * 0.8);
    const kept = ((await host.view('pools')) as StoragePoolView[])[0]!.trash!;
    const id = await create('d', Math.floor((now - kept + part / 2) / MiB) * MiB);
    expect(await trash()).toEqual(['b', 'c']);
    await host.act('undelete', 'b');
    expect(((await host.view('volumes')) as VolumeView[]).map(({ name }) => name).sort()).toEqual(['b', 'd']);
    await remove(id);
    await remove(((await host.view('volumes')) as VolumeView[])[0]!.id);
  });

  test('commands show and bring back, with an agent and without', async () => {
    await host.start();
    const socket = join(host.folder, 'agent.sock');
    const inspection = new Inspection(socket, [host.service!], pino({ level: 'silent' }));
    inspection.start();
    try {
      await expect.poll(() => stat(socket).then((found) => found.isSocket())).toBe(true);
      const id = await create('pvc-1', 32 * MiB);
      await withVolume('pvc-1', id, async (target) => {
        const at = ['--socket', socket];
        expect(await berth('get', 'volumes', ...at)).toMatch(
          new RegExp(`^ID .*\n${id} +<none> +default .* published `),
        );
        expect(await berth('get', 'pools', ...at)).toMatch(
          new RegExp(`^POOL .*\ndefault +${engine} .* 1 +0 +<none>\n$`),
        );
        const shown = JSON.parse(await berth('inspect', id, '-o', 'json', ...at)) as InspectedVolume;
        expect(shown).toMatchObject({ id, attached: true, health: [], problems: [], published: [{ path: target }] });
        // As when the agent is down: the pool's folder says the same of where it is, and of its bytes.
        await host.stop();
        const folder = ['--pool-path', host.pool];
        const found = JSON.parse(await berth('inspect', 'pvc-1', '-o', 'json', ...folder)) as InspectedVolume;
        const { attached, device, file } = shown;
        expect(found).toMatchObject({ id, attached, device, file, published: [{ path: target }] });
        expect(await berth('get', 'volumes', ...folder)).toContain(id);
        await host.start();
      });
      await remove(id);
      expect(await berth('get', 'trash', '--pool-path', host.pool)).toMatch(new RegExp(`^ID .*\n${id} +volume `));
      await inspection.stop();
      await expect(berth('undelete', id, '--socket', socket)).rejects.toMatchObject({
        code: 1,
        stderr: /no agent runs here/,
      });
      await host.act('undelete', id);
      await remove(id);
    } finally {
      await inspection.stop();
    }
  });
});

/** Takes so many bytes of a mounted filesystem. */
async function fill(target: string, bytes: number): Promise<void> {
  const file = await open(join(target, 'filling'), 'w');
  for (let left = bytes; left > 0; left -= 8 * MiB) await file.write(Buffer.alloc(Math.min(left, 8 * MiB), 7));
  await file.close();
  // Quotas are counted when a transaction is done.
  await promisify(execFile)('sync', ['--file-system', target]);
}

async function berth(...args: readonly string[]): Promise<string> {
  const main = join(import.meta.dirname, '../../agent/main.ts');
  return (await promisify(execFile)(process.execPath, [main, ...args])).stdout;
}

/** A mount namespace that another test makes holds a copy of our mounts for a moment. */
async function untilFree(call: () => Promise<unknown>): Promise<void> {
  let failure: unknown;
  const busy = async (): Promise<boolean> => {
    failure = undefined;
    await call().catch((error: unknown) => (failure = error));
    return failure instanceof BerthError && failure.code === 'BUSY';
  };
  await expect.poll(busy, { timeout: 20_000, interval: 200 }).toBe(false);
  if (failure !== undefined) throw failure instanceof Error ? failure : new Error('no error was thrown');
}

/** Loop devices and mounts that are left of a node. */
async function mine(host: TestNode, pool: ScratchPool): Promise<string[]> {
  const left = (await kernelMounts().list()).map(({ mountPoint }) => mountPoint);
  const found = left.filter((path) => path.startsWith(`${host.folder}/`));
  for (const folder of ['images', 'trash']) {
    const path = join(pool.path, 'berth', folder);
    for (const file of await readdir(path)) {
      if (!file.endsWith('.img')) continue;
      if ((await kernelLoopDevices().find(join(path, file))) !== undefined) found.push(file);
    }
  }
  return found;
}
