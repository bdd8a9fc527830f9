// A pool with damage of every kind in every folder: the next start comes up, tells it, keeps every file as it is, and serves the rest.
import { existsSync } from 'node:fs';
import { cp, readFile, readdir, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { FakeStorageKernel } from '../linux/fake/storage.ts';
import { damages, strange } from './fake/damages.ts';
import { listing } from './fake/listing.ts';
import { blockCapability, TestNode } from './fake/testnode.ts';
import { readPoolIdentity } from './pool.ts';
import { MiB } from './quantity.ts';
import { readRecords, recordStore } from './store.ts';

/** In memory, where there is such a folder: thousands of fsyncs are not what is tested here. */
const base = existsSync('/dev/shm') ? '/dev/shm' : tmpdir();
const block = blockCapability();
const poolId = /^([vsg])1-[0-9a-f]{8}-/;

let host: TestNode;
let lines: string[] = [];
/** By what they are; `healthy` is touched by no damage. */
let ids: Readonly<Record<'volume' | 'healthy' | 'snapshot' | 'group' | 'trashed', string>>;
let other: TestNode;
/** The room there was before the damage. */
let whole = 0n;

beforeEach(async () => {
  lines = [];
  const kernel = new FakeStorageKernel(4n << 30n);
  host = await TestNode.make({ kernel, base, trashRetention: '24h', onLog: (line) => lines.push(line) });
  other = await TestNode.make({ kernel, base, trashRetention: '24h' });
  await other.start();
  await fill(other);
  await other.stop();
  await host.start();
  ids = await fill(host);
  whole = await free();
  await host.stop();
});
afterEach(async () => {
  await host.close();
  await other.close();
});

async function create(node: TestNode, name: string): Promise<string> {
  const range = { required_bytes: String(MiB) };
  const { volume } = await node.controller.CreateVolume({ name, capacity_range: range, volume_capabilities: [block] });
  return volume?.volume_id ?? '';
}

async function fill(node: TestNode): Promise<typeof ids> {
  const [volume, healthy, trashed] = [await create(node, 'a'), await create(node, 'b'), await create(node, 'c')];
  const { snapshot } = await node.controller.CreateSnapshot({ name: 's', source_volume_id: volume });
  const { group_snapshot: group } = await node.groups.CreateVolumeGroupSnapshot({
    name: 'g',
    source_volume_ids: [healthy],
  });
  await node.controller.DeleteVolume({ volume_id: trashed });
  return {
    volume,
    healthy,
    snapshot: snapshot?.snapshot_id ?? '',
    group: group?.group_snapshot_id ?? '',
    trashed,
  };
}

/** The file of what is damaged, in the pool. */
const records = {
  volume: () => `meta/${ids.volume}.json`,
  snapshot: () => `meta/${ids.snapshot}.json`,
  group: () => `meta/${ids.group}.json`,
  trashed: () => `trash/${ids.trashed}.json`,
} as const;
const bytes = {
  volume: () => `images/${ids.volume}.img`,
  snapshot: () => `snapshots/${ids.snapshot}.img`,
} as const;

/** Files with what they hold; of folders only that they are there, for a start writes beside them. */
async function files(): Promise<readonly string[]> {
  const all = await listing(host.pool);
  return all
    .map((line) => (/ 4\d{4} /.test(line) ? (line.split(' ')[0] ?? '') : line))
    .filter((line) => !line.includes('/.lock '));
}

async function free(): Promise<bigint> {
  return BigInt((await host.controller.GetCapacity({})).available_capacity);
}

/** Starts on the damaged pool; nothing of it has changed, it is told about, and everything else goes on. */
async function expectKeptAndTold(about: string): Promise<void> {
  const before = await files();
  lines.length = 0;
  await host.start();
  expect(await files()).toEqual(before);
  const told = lines.filter((line) => line.includes(about) && /"level":"(warn|error)"/.test(line));
  expect(told, `nothing is told about ${about}: ${lines.join('')}`).not.toEqual([]);
  const [staging, target] = [await host.stagingPath('b'), await host.targetPath('b')];
  const place = { volume_id: ids.healthy, staging_target_path: staging };
  await host.node.NodeStageVolume({ ...place, volume_capability: block });
  await host.node.NodePublishVolume({ ...place, target_path: target, volume_capability: block });
  await host.node.NodeUnpublishVolume({ volume_id: ids.healthy, target_path: target });
  await host.node.NodeUnstageVolume(place);
  await host.controller.DeleteVolume({ volume_id: await create(host, 'new') });
}

describe.each(Object.keys(records) as (keyof typeof records)[])('in place of the record of a %s', (kind) => {
  test.each(Object.entries(damages))('%s is told and kept, and with the record back all is well', async (_, damage) => {
    const path = join(host.pool, records[kind]());
    const text = await readFile(path);
    await damage(path);
    await expectKeptAndTold(ids[kind]);
    // What nobody can read still has its space.
    expect(await free()).toBeLessThanOrEqual(whole);
    await host.stop();
    await rm(path, { recursive: true });
    await writeFile(path, text);
    lines.length = 0;
    await host.start();
    expect(lines.filter((line) => /unreadable|damaged|stranger/.test(line) && !line.includes('in_order'))).toEqual([]);
    // What is shared is measured after the start.
    await expect.poll(free).toBe(whole);
  });

  test('it is lost: nothing else is', async () => {
    await rm(join(host.pool, records[kind]()));
    // What was deleted and is in no record is what an unfinished deletion left.
    if (kind === 'trashed') {
      await host.start();
      expect(await readdir(join(host.pool, 'trash'))).toEqual([]);
    } else if (kind === 'group') {
      await host.start();
      const [member] = (await host.controller.ListSnapshots({ source_volume_id: ids.healthy })).entries;
      expect(member?.snapshot?.group_snapshot_id).toBe(ids.group);
      // Its members know whose they are, and go when it is deleted.
      await host.groups.DeleteVolumeGroupSnapshot({ group_snapshot_id: ids.group });
      expect((await host.controller.ListSnapshots({ source_volume_id: ids.healthy })).entries).toEqual([]);
    } else {
      await expectKeptAndTold(ids[kind]);
      expect(await free()).toBeLessThanOrEqual(whole);
    }
  });
});

test('a record cut at any byte is told and kept, and the start comes up', async () => {
  const path = join(host.pool, records.volume());
  const text = await readFile(path);
  for (let length = 0; length < text.length - 1; length++) {
    await writeFile(path, text.subarray(0, length));
    lines.length = 0;
    await host.start();
    expect([length, lines.some((line) => line.includes('pool.record_unreadable'))]).toEqual([length, true]);
    expect(await readFile(path)).toEqual(text.subarray(0, length));
    expect(await readdir(join(host.pool, 'images'))).toContain(`${ids.volume}.img`);
  }
}, 60_000);

describe.each(Object.keys(bytes) as (keyof typeof bytes)[])('in place of the bytes of a %s', (kind) => {
  const { 'random bytes': random, nothing, ...rest } = damages;
  const cases = { 'random bytes': random, nothing, 'half of it': (path: string) => truncate(path, 1 << 19), ...rest };
  test.each(Object.entries(cases))('%s is told and kept', async (_, damage) => {
    await damage?.(join(host.pool, bytes[kind]()));
    await expectKeptAndTold(ids[kind]);
  });

  test('nothing at all is told', async () => {
    await rm(join(host.pool, bytes[kind]()));
    await expectKeptAndTold(ids[kind]);
  });
});

describe('what is of another pool is told and kept', () => {
  test.each(['meta', 'images', 'snapshots', 'trash'])('in the folder %s', async (folder) => {
    const foreign = (await readdir(join(other.pool, folder))).filter((file) => poolId.test(file));
    expect(foreign.length).toBeGreaterThan(0);
    for (const file of foreign) await cp(join(other.pool, folder, file), join(host.pool, folder, file));
    for (const file of foreign) {
      await expectKeptAndTold(file);
      await host.stop();
    }
    await host.start();
    const [mine] = ids.healthy.split('-').slice(1);
    const listed = (await host.controller.ListVolumes({})).entries.map(({ volume }) => volume?.volume_id.split('-')[1]);
    expect(new Set(listed)).toEqual(new Set([mine]));
    expect(await free()).toBeLessThanOrEqual(whole);
  });

  test.each(['creating', 'deleting'] as const)('a record that says %s is not acted on', async (state) => {
    const folder = join(other.pool, 'meta');
    const { id = '' } = (await readPoolIdentity(other.pool)) ?? {};
    for (const record of (await readRecords(folder, id)).volumes) {
      // Its record and bytes, as if the disks had been copied together.
      await recordStore(folder, id).write({ kind: 'volume', record: { ...record, state } });
      for (const file of [`meta/${record.id}.json`, `images/${record.id}.img`])
        await cp(join(other.pool, file), join(host.pool, file));
    }
    await expectKeptAndTold(`it is of pool ${id}`);
  });
});

describe('what is nobody’s is told and kept', () => {
  const cases = ['meta', 'images', 'snapshots', 'trash'].flatMap((folder) =>
    Object.entries(strange).flatMap(([what, make]) =>
      ['stray', '.tmp-stray'].map((name) => ({ folder, what, make, name })),
    ),
  );
  test.each(cases.filter(({ name, what }) => name === 'stray' || what === 'a folder'))(
    '$what called $name in $folder',
    async ({ folder, make, name }) => {
      await make(join(host.pool, folder, name));
      await expectKeptAndTold(name);
    },
  );
});

describe('in place of the identity of the pool', () => {
  const more: typeof damages = {
    ...damages,
    'that of another pool': (path) => cp(join(other.pool, 'pool.json'), path),
    'no file': (path) => rm(path),
  };
  test.each(Object.entries(more))(
    '%s: nothing in the pool is touched, and the sentence says what to do',
    async (_, damage) => {
      const path = join(host.pool, 'pool.json');
      const text = await readFile(path);
      await damage(path);
      const before = await files();
      const refusal = { code: 'FAILED_PRECONDITION', message: expect.stringContaining('pool.json') as string };
      await expect(host.start()).rejects.toMatchObject(refusal);
      expect(await files()).toEqual(before);
      await rm(path, { recursive: true, force: true });
      await writeFile(path, text);
      await host.start();
      expect((await host.controller.ListVolumes({})).entries).toHaveLength(2);
    },
  );

  test('it, cut at any byte', async () => {
    const path = join(host.pool, 'pool.json');
    const text = await readFile(path);
    for (let length = 0; length < text.length - 1; length++) {
      await writeFile(path, text.subarray(0, length));
      await expect(host.start()).rejects.toMatchObject({ code: 'FAILED_PRECONDITION' });
      expect(await readFile(path)).toEqual(text.subarray(0, length));
    }
  });
});
