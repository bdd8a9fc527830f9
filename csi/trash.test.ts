// The trash on real folders, with image files of a kernel that keeps the rest in memory.
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { BerthError } from '../kit/errors.ts';
import { createLogger } from '../kit/log.ts';
import { FakeStorageKernel } from '../linux/fake/storage.ts';
import type { Engine } from './engine.ts';
import { imageEngine } from './imageengine.ts';
import { newObjectId } from './objectid.ts';
import { poolFolders } from './pool.ts';
import type { PoolFolders } from './pool.ts';
import { MiB } from './quantity.ts';
import type { SnapshotRecord, SnapshotState } from './snapshot.ts';
import { recordStore } from './store.ts';
import { Trash } from './trash.ts';
import type { TrashParts } from './trash.ts';
import { trashRecords } from './trashrecords.ts';
import type { VolumeRecord } from './volume.ts';

const hour = 3_600_000;
const start = Date.parse('2026-01-01T00:00:00Z');

let folder = '';
let folders: PoolFolders;
let kernel: FakeStorageKernel;
let engine: Engine;
const poolId = '0a1b2c3d';
let now = start;
let logged: Record<string, unknown>[] = [];
/** What the ledger was told. */
let admitted: string[] = [];

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'berth-trash-'));
  folders = poolFolders(folder);
  for (const path of Object.values(folders)) await mkdir(path as string);
  kernel = new FakeStorageKernel(1n << 30n);
  const { mounts, loops, filesystems } = kernel;
  engine = await imageEngine({ mounts, loops, filesystems, folders, atPoint: () => undefined });
  [now, logged, admitted] = [start, [], []];
});
afterEach(async () => {
  await rm(folder, { recursive: true });
});

/** A trash as a start makes it. `live` are the states of what the pool's records say. */
async function open(
  changes: Partial<TrashParts> = {},
  live: Readonly<Record<string, SnapshotState>> = {},
): Promise<Trash> {
  const write = (line: string): void => {
    logged.push(JSON.parse(line) as Record<string, unknown>);
  };
  const trash = new Trash({
    engine,
    poolId,
    records: trashRecords(folders.trash, poolId),
    store: recordStore(folders.meta, poolId),
    ledger: {
      readmit: ({ id }) => Promise.resolve(void admitted.push(id)),
      release: (id) => Promise.resolve(void (admitted = admitted.filter((each) => each !== id))),
    },
    retentionMs: 24 * hour,
    space: async () => (await kernel.filesystems.usage(folder)).bytes,
    measure: ({ bytes }) => Promise.resolve(bytes),
    now: () => now,
    log: createLogger('info', { write }),
    atPoint: () => undefined,
    ...changes,
  });
  await trash.load((id) => live[id]);
  return trash;
}

/** A volume whose bytes are there, as its deletion finds it. */
async function makeVolume(name: string, bytes = 32n * MiB, more: Partial<VolumeRecord> = {}): Promise<VolumeRecord> {
  const id = newObjectId('volume', poolId, now);
  const volume: VolumeRecord = {
    id,
    name,
    state: 'deleting',
    bytes,
    use: { kind: 'block' },
    provisioning: 'thick',
    parameters: {},
    mutable: {},
    family: id,
    createdAt: new Date(now).toISOString(),
    ...more,
  };
  await engine.create(volume);
  return volume;
}

/** Deletes volumes an hour apart, the first being the oldest. */
async function putAll(trash: Trash, ...names: string[]): Promise<VolumeRecord[]> {
  const volumes: VolumeRecord[] = [];
  for (const name of names) {
    const volume = await makeVolume(name);
    await trash.put(volume);
    volumes.push(volume);
    now += hour;
  }
  return volumes;
}

const namesIn = (trash: Trash): string[] => trash.list().map(({ object }) => object.name);
const events = (): unknown[] => logged.map((line) => line['event']);

describe('while its time is not over', () => {
  test('a deleted volume keeps its bytes, over a restart too', async () => {
    const trash = await open();
    const [volume] = await putAll(trash, 'a');
    await trash.purgeExpired();
    for (const each of [trash, await open()]) {
      expect(each.list()).toEqual([{ object: volume, deletedAt: start, frees: 32n * MiB }]);
      expect(each.bytes).toBe(32n * MiB);
    }
    expect(await readdir(folders.trash)).toEqual([`${volume!.id}.img`, `${volume!.id}.json`]);
    expect(await readdir(folders.images)).toEqual([]);
  });

  test('it comes back under the same ID, ready', async () => {
    const trash = await open();
    const [volume] = await putAll(trash, 'a');
    expect(await trash.undelete(volume!.id)).toEqual({ ...volume, state: 'ready' });
    expect(await engine.sizeOf(volume!)).toBe(volume!.bytes);
    expect((await recordStore(folders.meta, poolId).load()).volumes).toEqual([{ ...volume, state: 'ready' }]);
    expect([await readdir(folders.trash), trash.list(), admitted]).toEqual([[], [], [volume!.id]]);
    await expect(trash.undelete(volume!.id)).rejects.toMatchObject({ code: 'NOT_FOUND' });
  });

  test('deleted once more, its time begins anew', async () => {
    const trash = await open();
    const [volume] = await putAll(trash, 'a');
    await trash.undelete(volume!.id);
    now += 23 * hour;
    await trash.put(volume!);
    await trash.purgeExpired();
    expect(namesIn(trash)).toEqual(['a']);
  });

  test('a snapshot comes back without the group it was deleted with', async () => {
    const { bytes, use, createdAt, id: sourceId, family } = await makeVolume('a');
    const id = newObjectId('snapshot', poolId, now);
    const groupId = newObjectId('group', poolId, now);
    const common = { name: 's', state: 'deleting', reserved: true, groupId } as const;
    const snapshot: SnapshotRecord = { id, bytes, use, createdAt, sourceId, family, ...common };
    await writeFile(join(folders.snapshots, `${id}.img`), '');
    const trash = await open();
    await trash.put(snapshot);
    const back = await (await open()).undelete(id);
    expect(back).toEqual({ ...snapshot, state: 'ready', groupId: undefined });
    expect(await readdir(folders.snapshots)).toEqual([`${id}.img`]);
  });
});

describe('it is freed', () => {
  test('when its time is over, not before', async () => {
    const trash = await open();
    await putAll(trash, 'a', 'b');
    now = start + 24 * hour - 1;
    await trash.purgeExpired();
    expect(namesIn(trash)).toEqual(['a', 'b']);
    now += 1;
    await trash.purgeExpired();
    expect(namesIn(trash)).toEqual(['b']);
    expect(await readdir(folders.trash)).toHaveLength(2);
    expect(logged.at(-1)).toMatchObject({ event: 'trash.removed', name: 'a', why: 'its time is over' });
  });

  test('a bounded number at once, the oldest first', async () => {
    const trash = await open();
    const names = Array.from({ length: 20 }, (_, index) => `v${index}`);
    await putAll(trash, ...names);
    now += 1_000 * hour;
    await trash.purgeExpired();
    expect(namesIn(trash)).toEqual(names.slice(16));
    await trash.purgeExpired();
    expect(await readdir(folders.trash)).toEqual([]);
  });

  test("at once without retention, and when it was a pod's own", async () => {
    const none = await open({ retentionMs: 0 });
    await putAll(none, 'a');
    await none.purgeExpired();
    const trash = await open();
    await trash.put(await makeVolume('b', 4096n, { ephemeral: '/k/pods/p/volumes/v/mount' }));
    await trash.purgeExpired();
    expect([none.list(), trash.list(), await readdir(folders.trash)]).toEqual([[], [], []]);
  });

  test('when the retention was taken away, whatever the clock says', async () => {
    await putAll(await open(), 'a');
    now = start - 1_000 * hour;
    const trash = await open({ retentionMs: 0 });
    await trash.purgeExpired();
    expect(await readdir(folders.trash)).toEqual([]);
  });

  test('the oldest first where space is needed, and no more than that', async () => {
    const trash = await open();
    await putAll(trash, 'a', 'b', 'c');
    expect(await trash.reclaim(33n * MiB)).toBe(true);
    expect([namesIn(trash), trash.bytes, trash.most]).toEqual([['c'], 32n * MiB, 32n * MiB]);
    expect(kernel.totalBytes - (await kernel.filesystems.usage(folder)).bytes.available).toBe(32n * MiB);
  });

  test('and waited for until the disk counts it as free', async () => {
    let looks = 0;
    const space = async (): Promise<{ total: bigint; available: bigint }> => {
      const { total, available } = (await kernel.filesystems.usage(folder)).bytes;
      return { total, available: ++looks < 4 ? available - 32n * MiB : available };
    };
    const trash = await open({ space });
    await putAll(trash, 'a', 'b');
    expect([await trash.reclaim(1n), looks]).toEqual([true, 2]);
    expect([await trash.reclaim(32n * MiB), looks]).toEqual([true, 4]);
  });

  test('one by one where nobody can tell what that gives', async () => {
    const trash = await open({ measure: () => Promise.resolve(undefined) });
    await putAll(trash, 'a', 'b');
    expect([trash.bytes, trash.most]).toEqual([0n, 64n * MiB]);
    expect([await trash.reclaim(33n * MiB), namesIn(trash)]).toEqual([true, ['b']]);
    expect([await trash.reclaim(1n), await trash.reclaim(1n)]).toEqual([true, false]);
  });

  test('but not what something that lives has too, unless that was deleted as well', async () => {
    const sizes = [0n, 32n * MiB, 0n];
    const trash = await open({ measure: () => Promise.resolve(sizes.shift()) });
    const [first] = await putAll(trash, 'volume');
    const clone = await makeVolume('clone', 32n * MiB, { family: first!.id });
    await trash.put(clone);
    await putAll(trash, 'other');
    expect([await trash.reclaim(64n * MiB), namesIn(trash)]).toEqual([true, ['other']]);
    expect([await trash.reclaim(1n), namesIn(trash)]).toEqual([false, ['other']]);
  });

  test('but not while it is being brought back, for which nobody waits', async () => {
    const gate = Promise.withResolvers<undefined>();
    const readmit = (): Promise<undefined> => gate.promise;
    const trash = await open({ ledger: { readmit, release: () => Promise.resolve() } });
    const [volume] = await putAll(trash, 'a');
    const back = trash.undelete(volume!.id);
    expect(await trash.reclaim(1n)).toBe(false);
    gate.resolve(undefined);
    expect(await back).toMatchObject({ state: 'ready' });
  });
});

describe('what is found in the trash', () => {
  test('bytes without a record are what an unfinished deletion left, and go', async () => {
    const volume = await makeVolume('a');
    await engine.moveToTrash(volume);
    await open();
    expect(await readdir(folders.trash)).toEqual([]);
  });

  test('hostile names are reported and kept', async () => {
    const id = newObjectId('volume', poolId, now);
    const names = [
      '.hidden',
      '..json',
      `${id}.img.json`,
      `${id}.bak`,
      '$(reboot).img',
      'v1-..-etc.json',
      `x\n${id}.json`,
    ];
    for (const name of names) await writeFile(join(folders.trash, name), 'x');
    const content = await (await open()).load(() => undefined);
    expect(content.strangers.map(({ file }) => file).sort()).toEqual([...names].sort());
    expect((await readdir(folders.trash)).sort()).toEqual([...names].sort());
    expect(events().filter((event) => event === 'trash.stranger')).toHaveLength(2 * names.length);
  });

  test("a record that is a folder, a link or another volume's is reported, and its bytes are kept", async () => {
    const [a, b, c] = await putAll(await open(), 'a', 'b', 'c');
    const fileOf = (volume: VolumeRecord | undefined): string => join(folders.trash, `${volume!.id}.json`);
    const text = await readFile(fileOf(a), 'utf8');
    for (const volume of [a, b]) await rm(fileOf(volume));
    await mkdir(fileOf(a));
    await writeFile(fileOf(b), text);
    await writeFile(fileOf(c), 'root:x:0:0:root:/root:/bin/bash');
    const trash = await open();
    expect(trash.list()).toEqual([]);
    expect(trash.unreadable.map(({ reason }) => reason).sort()).toEqual([
      'it is cut, or no record',
      'it is no file',
      `it is the record of ${a!.id}`,
    ]);
    await trash.purgeExpired();
    expect((await readdir(folders.trash)).filter((file) => file.endsWith('.img'))).toHaveLength(3);
  });

  test('a record cut or changed at any place is reported, and its bytes are kept', async () => {
    const [volume] = await putAll(await open(), 'a');
    const file = join(folders.trash, `${volume!.id}.json`);
    const text = await readFile(file, 'utf8');
    const positions = fc.sample(fc.nat(text.length - 2), 40);
    for (const position of positions) {
      const changed = `${text.slice(0, position)}~${text.slice(position + 1)}`;
      for (const damaged of [text.slice(0, position), changed]) {
        await writeFile(file, damaged);
        const trash = await open();
        await trash.purgeExpired();
        expect([trash.list(), trash.unreadable.length]).toEqual([[], 1]);
      }
    }
    expect(await readdir(folders.trash)).toContain(`${volume!.id}.img`);
  });

  test('what an interrupted write left goes', async () => {
    await writeFile(join(folders.trash, '.tmp-v1.json-00'), 'x');
    await open();
    expect(await readdir(folders.trash)).toEqual([]);
  });

  test('a record of what lives again goes, but not when the bytes are still here', async () => {
    const trash = await open();
    const [a, b] = await putAll(trash, 'a', 'b');
    await engine.restoreFromTrash(a!);
    const again = await open({}, { [a!.id]: 'ready', [b!.id]: 'ready' });
    expect(namesIn(again)).toEqual(['b']);
    expect(await readdir(folders.trash)).toEqual([`${b!.id}.img`, `${b!.id}.json`]);
  });
});

describe('when it cannot be done', () => {
  test('a volume that the kernel still uses stays where it is', async () => {
    const trash = await open();
    const volume = await makeVolume('a');
    kernel.failNext('detach', new BerthError('BUSY', 'still used'));
    await kernel.loops.attach(join(folders.images, `${volume.id}.img`), { readonly: false });
    await expect(trash.put(volume)).rejects.toMatchObject({ code: 'BUSY' });
    expect(await engine.sizeOf(volume)).toBe(volume.bytes);
    await trash.put(volume);
    expect(namesIn(trash)).toEqual(['a']);
  });

  test('a volume is deleted for good when the disk has no room for the record of it', async () => {
    const full = Object.assign(new Error('ENOSPC'), { code: 'ENOSPC' });
    const trash = await open({
      records: { ...trashRecords(folders.trash, poolId), write: () => Promise.reject(full) },
    });
    await trash.put(await makeVolume('a'));
    await trash.purgeExpired();
    expect([trash.list(), await readdir(folders.trash), events()]).toEqual([[], [], ['trash.not_kept']]);
  });

  test('a volume without bytes is not kept: it could never come back', async () => {
    const trash = await open();
    const volume = await makeVolume('a');
    await rm(join(folders.images, `${volume.id}.img`));
    await trash.put(volume);
    expect([trash.list(), await readdir(folders.trash)]).toEqual([[], []]);
  });

  test.each([
    ['its bytes are gone', 'NOT_FOUND'],
    ['its space was promised away', 'RESOURCE_EXHAUSTED'],
    ['the disk refuses', 'EIO'],
  ])('a volume does not come back when %s, and everything is as before', async (why, code) => {
    const io = Object.assign(new Error('EIO'), { code: 'EIO' });
    const full = new BerthError('RESOURCE_EXHAUSTED', 'promised away');
    const trash = await open({
      ...(why === 'the disk refuses'
        ? { store: { ...recordStore(folders.meta, poolId), write: () => Promise.reject(io) } }
        : {}),
      ...(code === 'RESOURCE_EXHAUSTED'
        ? { ledger: { readmit: () => Promise.reject(full), release: () => Promise.resolve() } }
        : {}),
    });
    const [volume] = await putAll(trash, 'a');
    if (code === 'NOT_FOUND') await rm(join(folders.trash, `${volume!.id}.img`));
    await expect(trash.undelete(volume!.id)).rejects.toMatchObject({ code });
    expect([namesIn(trash), admitted, await readdir(folders.meta)]).toEqual([['a'], [], []]);
    if (code !== 'NOT_FOUND') expect(await readdir(folders.trash)).toContain(`${volume!.id}.img`);
  });

  test('space that cannot be freed now is freed by a later round', async () => {
    const emptyTrash = vi.fn((expired: (id: string) => boolean) => engine.emptyTrash(expired));
    const trash = await open({ engine: { ...engine, emptyTrash } });
    await putAll(trash, 'a');
    now += 25 * hour;
    emptyTrash.mockRejectedValueOnce(new Error('EIO'));
    await trash.purgeExpired();
    expect(events()).toContain('trash.purge_failed');
    await trash.purgeExpired();
    expect(await readdir(folders.trash)).toEqual([]);
  });
});
