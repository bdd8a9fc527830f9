// Subvolumes and quotas on the real btrfs.
import { appendFile, mkdir, readFile, readdir, rename, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { kernelSubvolumes } from '../../linux/btrfs.ts';
import { groupOfLevel, kernelBtrfsQuotas } from '../../linux/btrfsquota.ts';
import { makeScratchPool } from './scratchpool.ts';
import type { ScratchPool } from './scratchpool.ts';

const subvolumes = kernelSubvolumes();
const quotas = kernelBtrfsQuotas();
const MiB = 1 << 20;

let pool: ScratchPool;
let folder = '';
let number = 0;
beforeAll(async () => {
  pool = await makeScratchPool('btrfs', 1024 * MiB);
});
afterAll(async () => {
  await pool.close();
});
beforeEach(async () => {
  folder = join(pool.path, `case-${++number}`);
  await mkdir(folder);
});

async function makeSubvolume(name: string): Promise<{ readonly path: string; readonly id: bigint }> {
  const path = join(folder, name);
  await subvolumes.create(path);
  return { path, id: await subvolumes.idOf(path) };
}

/** Destroyed, and its space is free. */
async function gone(id: bigint): Promise<void> {
  await subvolumes.destroy(folder, id);
  await subvolumes.clean(folder);
  await expect.poll(() => subvolumes.exists(folder, id), { timeout: 20_000 }).toBe(false);
}

describe('subvolumes', () => {
  test('are made, named, moved, and go', async () => {
    const { path, id } = await makeSubvolume('a');
    await expect(subvolumes.create(path)).rejects.toMatchObject({ code: 'EEXIST' });
    const holder = await subvolumes.holderOf(folder);
    const { ino } = await stat(folder, { bigint: true });
    expect(await subvolumes.links(folder, holder)).toContainEqual({ id, parent: holder, folder: ino, name: 'a' });
    await rename(path, join(folder, 'b'));
    expect(await subvolumes.links(folder)).toContainEqual({ id, parent: holder, folder: ino, name: 'b' });
    expect(await subvolumes.idOf(join(folder, 'b'))).toBe(id);
    await gone(id);
    expect(await readdir(folder)).toEqual([]);
    await expect(subvolumes.destroy(folder, id)).rejects.toMatchObject({ code: 'ENOENT' });
  });

  test('a snapshot has what was written and not synced, and is apart from then on', async () => {
    const source = await makeSubvolume('a');
    const text = 'x'.repeat(3 * MiB);
    await writeFile(join(source.path, 'file'), text);
    const target = join(folder, 's');
    await subvolumes.snapshot({ source: source.path, target, readonly: true });
    await appendFile(join(source.path, 'file'), 'more');
    expect((await readFile(join(target, 'file'), 'utf8')) === text).toBe(true);
    await expect(writeFile(join(target, 'file'), '')).rejects.toMatchObject({ code: 'EROFS' });
    await subvolumes.snapshot({ source: target, target: join(folder, 'c'), readonly: false });
    await writeFile(join(folder, 'c/file'), 'of its own');
  });

  test('a read-only one stays where it is until it may be written to', async () => {
    const { path, id } = await makeSubvolume('a');
    await mkdir(join(folder, 'other'));
    await subvolumes.setReadonly(folder, id, true);
    await expect(writeFile(join(path, 'file'), '')).rejects.toMatchObject({ code: 'EROFS' });
    await expect(rename(path, join(folder, 'other/a'))).rejects.toMatchObject({ code: 'EROFS' });
    await subvolumes.setReadonly(folder, id, false);
    await rename(path, join(folder, 'other/a'));
    await gone(id);
  });

  test('a folder that is none is not taken for the one it lies in', async () => {
    for (const work of [
      () => subvolumes.idOf(folder),
      () => subvolumes.snapshot({ source: folder, target: join(folder, 's'), readonly: true }),
    ])
      await expect(work()).rejects.toMatchObject({ code: 'FAILED_PRECONDITION' });
    await expect(subvolumes.idOf(join(folder, 'missing'))).rejects.toMatchObject({ code: 'ENOENT' });
    expect(await readdir(folder)).toEqual([]);
  });

  test('one with others inside goes after them', async () => {
    const outer = await makeSubvolume('a');
    const inner = await makeSubvolume('a/inner');
    await expect(subvolumes.destroy(folder, outer.id)).rejects.toMatchObject({ code: 'ENOTEMPTY' });
    expect((await subvolumes.links(folder, outer.id)).map(({ id }) => id)).toEqual([inner.id]);
    await gone(inner.id);
    await gone(outer.id);
  });

  test('more of them than one answer of the kernel holds are all listed', async () => {
    const names = Array.from({ length: 700 }, (_, i) => `${i}-${'n'.repeat(200)}`);
    for (const name of names) await subvolumes.create(join(folder, name));
    const holder = await subvolumes.holderOf(folder);
    const { ino } = await stat(folder, { bigint: true });
    const mine = (await subvolumes.links(folder)).filter((link) => link.folder === ino && link.parent === holder);
    expect(mine.map(({ name }) => name).sort()).toEqual(names.sort());
    for (const { id } of mine) await subvolumes.destroy(folder, id);
  });
});

// In this order: the others need what the first switches on.
describe('quotas', () => {
  test('are off until they are switched on, and then count what is there', async () => {
    expect(await quotas.status(pool.path)).toEqual({ mode: 'off', inconsistent: false, scanning: false });
    expect(await quotas.groups(pool.path)).toEqual(new Map());
    await quotas.enable(pool.path);
    await quotas.enable(pool.path);
    const status = async (): Promise<object> => {
      await subvolumes.commit(pool.path);
      return await quotas.status(pool.path);
    };
    await expect.poll(status, { timeout: 20_000 }).toEqual({ mode: 'full', inconsistent: false, scanning: false });
  });

  test('a limit holds for one subvolume, can be changed, and is lifted', async () => {
    const [{ path, id }, other] = [await makeSubvolume('a'), await makeSubvolume('b')];
    await quotas.limit(folder, id, BigInt(16 * MiB));
    // EDQUOT, which libuv has no name for.
    const tooMuch = (): Promise<void> => writeFile(join(path, 'big'), Buffer.alloc(24 * MiB, 1));
    await expect(tooMuch()).rejects.toThrow();
    await writeFile(join(other.path, 'big'), Buffer.alloc(24 * MiB, 1));
    await quotas.limit(folder, id, BigInt(32 * MiB));
    await tooMuch();
    await subvolumes.clean(folder);
    const { limit, referenced = 0n } = (await quotas.group(folder, id)) ?? {};
    expect(limit).toBe(BigInt(32 * MiB));
    expect(Number(referenced)).toBeGreaterThanOrEqual(24 * MiB);
    await quotas.limit(folder, id, undefined);
    expect((await quotas.groups(folder)).get(id)?.limit).toBeUndefined();
  });

  test('what a snapshot shares is exclusive to nobody, and still within its source', async () => {
    const { path, id } = await makeSubvolume('a');
    await writeFile(join(path, 'file'), Buffer.alloc(8 * MiB, 1));
    await subvolumes.snapshot({ source: path, target: join(folder, 's'), readonly: true });
    const shared = await quotas.group(folder, id);
    expect(Number(shared?.referenced)).toBeGreaterThanOrEqual(8 * MiB);
    expect(Number(shared?.exclusive)).toBeLessThan(MiB);
  });

  test('a group around several has one limit for all, and goes after its last member', async () => {
    const [outer, inner] = [await makeSubvolume('a'), await makeSubvolume('a/inner')];
    await writeFile(join(inner.path, 'file'), Buffer.alloc(8 * MiB, 1));
    await subvolumes.clean(folder);
    const group = groupOfLevel(7n, outer.id);
    await quotas.createGroup(folder, group);
    await quotas.createGroup(folder, group);
    await quotas.limit(folder, group, BigInt(4 * MiB));
    for (const member of [outer.id, inner.id, inner.id]) await quotas.assign(folder, { member, group });
    await subvolumes.commit(folder);
    expect(Number((await quotas.group(folder, group))?.referenced)).toBeGreaterThanOrEqual(8 * MiB);
    for (const { path } of [outer, inner]) await expect(writeFile(join(path, 'more'), 'x')).rejects.toThrow();
    // Nothing can be destroyed in what is over its limit.
    await expect(subvolumes.destroy(folder, inner.id)).rejects.toMatchObject({ code: 'EDQUOT' });
    expect(await quotas.removeGroup(folder, group)).toBe(false);
    expect(await quotas.removeGroup(folder, inner.id)).toBe(false);
    await quotas.limit(folder, group, undefined);
    for (const { id } of [inner, outer]) {
      await gone(id);
      expect(await quotas.removeGroup(folder, id)).toBe(true);
    }
    expect(await quotas.removeGroup(folder, group)).toBe(true);
    expect(await quotas.removeGroup(folder, group)).toBe(true);
    expect(await quotas.group(folder, group)).toBeUndefined();
  });

  test('everything is counted anew on demand', async () => {
    await quotas.rescan(folder);
    await quotas.rescan(folder);
    const scanning = async (): Promise<boolean> => {
      await subvolumes.commit(folder);
      return (await quotas.status(folder)).scanning;
    };
    await expect.poll(scanning, { timeout: 20_000 }).toBe(false);
  });
});
