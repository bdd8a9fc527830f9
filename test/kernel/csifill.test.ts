// Pools filled to the last byte, on real filesystems of every kind: what was promised can be written, and nobody else's data changes.
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { blockCapability, mountCapability, TestNode } from '../../csi/fake/testnode.ts';
import type { VolumeCapability } from '../../protos/types/csi/v1/VolumeCapability.ts';
import { fill, lostPieces, pieceBytes } from './patterns.ts';
import type { Filled } from './patterns.ts';
import { makeScratchPool } from './scratchpool.ts';
import type { ScratchPool } from './scratchpool.ts';
import { makeSharedFolder } from './sharedfolder.ts';
import type { SharedFolder } from './sharedfolder.ts';
import { serveVolume, takeBack, takeFromPod, retire } from './volumelife.ts';
import type { Served, WantedVolume } from './volumelife.ts';

const MiB = 1024 * 1024;
const ext4 = mountCapability({ fs_type: 'ext4' });

let shared: SharedFolder;
let pool: ScratchPool;
let host: TestNode;

beforeEach(async () => {
  shared = await makeSharedFolder();
});
afterEach(async () => {
  await retire(host);
  await pool.close();
  await shared.close();
});

async function start(type: 'xfs' | 'ext4' | 'btrfs', more: object = {}): Promise<void> {
  pool = await makeScratchPool(type, 768 * MiB);
  const pools = [{ name: 'default', path: join(pool.path, 'berth'), ...more }];
  host = await TestNode.make({ base: shared.path, pool: join(pool.path, 'berth'), storage: { pools } });
  await host.start();
}

interface Written extends Served, Filled {
  readonly wanted: WantedVolume;
}

const fileOf = ({ target }: Served, { capability }: WantedVolume): string =>
  capability.block ? target : join(target, 'data');

async function available(): Promise<number> {
  return Number((await host.controller.GetCapacity({})).available_capacity);
}

async function expectWhole(volumes: readonly Written[]): Promise<void> {
  for (const { wanted, pieces, ...served } of volumes)
    expect([wanted.name, await lostPieces(fileOf(served, wanted), wanted.name, pieces)]).toEqual([wanted.name, []]);
}

describe.each(['xfs', 'ext4', 'btrfs'] as const)('on a pool of %s', (type) => {
  test(
    'thick volumes that fill it hold all they were promised, written full at once',
    { timeout: 180_000 },
    async () => {
      await start(type);
      const bytes = 96 * MiB;
      const made: { readonly served: Served; readonly wanted: WantedVolume }[] = [];
      const serve = async (wanted: WantedVolume): Promise<void> => {
        made.push({ wanted, served: await serveVolume(host, wanted) });
      };
      const full = {
        code: 'RESOURCE_EXHAUSTED',
        message: expect.stringMatching(/pool "default" .*can take a volume of .* asked; delete volumes/) as string,
      };
      for (let refused: unknown; refused === undefined;) {
        const capability: VolumeCapability = made.length % 2 === 0 ? blockCapability() : ext4;
        refused = await serve({ name: `v${made.length}`, capability, bytes }).catch((error: unknown) => error);
        if (refused !== undefined) expect(refused).toMatchObject(full);
      }
      expect(made.length).toBeGreaterThanOrEqual(4);
      const rest = Math.floor((await available()) / MiB) * MiB;
      // btrfs hands out its space in large pieces, for data or for trees, and cannot say beforehand which it will need.
      if (rest > 0 && type !== 'btrfs') await serve({ name: 'last', capability: blockCapability(), bytes: rest });

      const volumes = await Promise.all(
        made.map(async ({ served, wanted }): Promise<Written> => {
          const { usage } = await host.node.NodeGetVolumeStats({ volume_id: served.id, volume_path: served.target });
          const [bytesOf] = usage;
          const [total, free] = [Number(bytesOf?.total), Number(bytesOf?.available)];
          const filled = await fill(fileOf(served, wanted), wanted.name);
          // The device to its end; of a filesystem what it had promised itself, less what it keeps to say where that lies.
          if (wanted.capability.block) expect([wanted.name, filled.pieces * pieceBytes]).toEqual([wanted.name, total]);
          else expect(filled.pieces * pieceBytes).toBeGreaterThan(free - 4 * MiB);
          expect([wanted.name, filled.code]).toEqual([wanted.name, 'ENOSPC']);
          return { ...served, ...filled, wanted };
        }),
      );

      await expect(serveVolume(host, { name: 'more', capability: ext4, bytes: 4 * bytes })).rejects.toMatchObject(full);
      // Not as the page cache has it, but as it lies on the disk.
      for (const volume of volumes) await takeFromPod(host, volume);
      for (const { wanted } of volumes) await serveVolume(host, wanted);
      await expectWhole(volumes);

      const [first, ...others] = volumes;
      if (first !== undefined) await takeBack(host, first);
      await expect.poll(available, { timeout: 30_000 }).toBeGreaterThanOrEqual(bytes);
      const wanted = { name: 'again', capability: blockCapability(), bytes };
      const again = {
        ...(await serveVolume(host, wanted)),
        wanted,
        ...(await fill(await host.targetPath('pod-again'), 'again')),
      };
      expect(again.pieces * pieceBytes).toBe(bytes);
      await expectWhole([...others, again]);
      for (const volume of [...others, again]) await takeBack(host, volume);
    },
  );

  test('thin volumes stop at the watermark, and a full pool stops only writes', { timeout: 180_000 }, async () => {
    await start(type, { overcommit: 4, thinWatermark: 60 });
    const bytes = 512 * MiB;
    const create = async (name: string, capability: VolumeCapability, size = bytes): Promise<string> => {
      const { volume } = await host.controller.CreateVolume({
        name,
        capacity_range: { required_bytes: String(size) },
        volume_capabilities: [capability],
        parameters: { provisioning: 'thin' },
      });
      return volume?.volume_id ?? '';
    };
    const serve = async (
      name: string,
      capability: VolumeCapability,
      size = bytes,
    ): Promise<Served & { wanted: WantedVolume }> => {
      const id = await create(name, capability, size);
      const [staging, target] = [await host.stagingPath(name), await host.targetPath(`pod-${name}`)];
      const common = { volume_id: id, staging_target_path: staging, volume_capability: capability };
      await host.node.NodeStageVolume(common);
      await host.node.NodePublishVolume({ ...common, target_path: target });
      return { id, staging, target, wanted: { name, capability, bytes } };
    };
    const [a, b, c] = [
      await serve('a', blockCapability()),
      await serve('b', blockCapability()),
      await serve('c', ext4),
    ];
    const small = { ...c, ...(await fill(fileOf(c, c.wanted), 'c', { most: 32 })) };
    expect(small).toMatchObject({ pieces: 32, code: undefined });

    const above = await fill(a.target, 'a', { most: 460 });
    expect(above).toEqual({ pieces: 460, code: undefined });
    await expect(create('d', blockCapability())).rejects.toMatchObject({
      code: 'RESOURCE_EXHAUSTED',
      message: expect.stringMatching(
        /pool "default" has .* left; above 60 % .*delete volumes or enlarge the pool/,
      ) as string,
    });

    const full = await fill(b.target, 'b');
    expect(full.pieces).toBeGreaterThan(64);
    expect(full.pieces).toBeLessThan(bytes / pieceBytes);
    expect(['ENOSPC', 'EIO']).toContain(full.code);
    const volumes: Written[] = [{ ...a, ...above }, { ...b, ...full }, small];
    await expectWhole(volumes);
    // Calls still get their answers, and what was written is on the disk.
    expect((await host.controller.ListVolumes({})).entries).toHaveLength(3);
    expect(await available()).toBe(0);
    for (const volume of volumes) await takeFromPod(host, volume);
    for (const { wanted } of volumes) if (wanted.capability.block) await serve(wanted.name, wanted.capability);
    await expectWhole(volumes.filter(({ wanted }) => wanted.capability.block));

    // A filesystem may have to be checked first, which wants to write.
    await serve('c', ext4).catch((error: unknown) => {
      expect(error).toMatchObject({
        code: 'RESOURCE_EXHAUSTED',
        message: expect.stringMatching(/pool is full/) as string,
      });
    });
    await takeBack(host, a);
    await serve('c', ext4);
    await expect.poll(available, { timeout: 30_000 }).toBeGreaterThan(64 * MiB);
    const from = full.pieces;
    expect(await fill(b.target, 'b', { from, most: from + 64 })).toEqual({ pieces: from + 64, code: undefined });
    expect(await fill(fileOf(c, c.wanted), 'c', { from: 32, most: 64 })).toEqual({ pieces: 64, code: undefined });
    await expectWhole([
      { ...b, wanted: b.wanted, pieces: from + 64, code: undefined },
      { ...small, pieces: 64 },
    ]);
    const d = await serve('d', blockCapability(), 128 * MiB);
    for (const volume of [b, c, d]) await takeBack(host, volume);
  });
});
