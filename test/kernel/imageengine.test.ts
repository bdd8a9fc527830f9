// The image engine on real pools of every kind: what is copied is really there, and takes the space it should.
import { execFileSync } from 'node:child_process';
import { open, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test, vi } from 'vitest';
import { filesystems, MiB, onEachPool, read, types, write } from './imageworld.ts';

onEachPool((world, type) => {
  test('the engine offers what the filesystem can', () => {
    const { copies, thin, extents, types: offered } = world.engine.offers;
    expect([copies, thin, extents, offered]).toEqual([type === 'ext4' ? 'full' : 'shared', true, true, types]);
  });

  // Raw block cannot be held still, so only sharing takes all of it at one moment.
  const copyable = type === 'ext4' ? filesystems : types;
  test.each(copyable)(
    'a snapshot of a %s in use has what was written before it, and outlives its source',
    async (of) => {
      const volume = await world.make(of);
      const path = await world.stage(volume);
      await write(path, 'before');
      const snapshot = await world.snapshotOf(volume);
      await write(path, 'AFTER!');
      await world.unstage(volume);
      await world.engine.moveToTrash(volume);
      await world.engine.emptyTrash(() => true);
      const restored = await world.copyOf(snapshot);
      expect(await read(await world.stage(restored), 12)).toMatch(/^before(\0|$)/);
      expect(await world.engine.sizeOf(snapshot)).toBe(volume.bytes);
    },
  );

  if (type === 'ext4') {
    test('a raw block volume in use is not copied in parts of different moments', async () => {
      const volume = await world.make('block');
      await world.stage(volume);
      await expect(world.snapshotOf(volume)).rejects.toMatchObject({ code: 'FAILED_PRECONDITION' });
      expect(await readdir(world.pool.folders.snapshots)).toEqual([]);
    });
  }

  test.each(types)('a %s that is not used is copied, and both are used side by side', async (of) => {
    const volume = await world.make(of);
    await write(await world.stage(volume), 'common');
    await world.unstage(volume);
    const copy = await world.copyOf(volume, { bytes: volume.bytes + 64n * MiB });
    const [mine, other] = [await world.stage(volume), await world.stage(copy)];
    expect(await read(other, 6)).toBe('common');
    await write(mine, 'mine', 6);
    await write(other, 'other', 6);
    expect([await read(mine, 10), await read(other, 11)]).toEqual(['commonmine', 'commonother']);
    expect((await world.shownBytes(copy)) - (await world.shownBytes(volume))).toBeGreaterThanOrEqual(56n * MiB);
  });

  test.each(types)('a thick %s has all of its space, also as a larger copy', async (of) => {
    const volume = await world.make(of);
    expect(await world.allocatedBytes(volume)).toBeGreaterThanOrEqual(volume.bytes);
    await write(await world.stage(volume), 'x'.repeat(1 << 20));
    await world.unstage(volume);
    const copy = await world.copyOf(volume, { bytes: volume.bytes + 32n * MiB });
    for (const object of [volume, copy])
      expect(await world.allocatedBytes(object)).toBeGreaterThanOrEqual(object.bytes);
  });

  test.each(filesystems)('a thick %s and its copy keep their space through fstrim', async (of) => {
    const volume = await world.make(of);
    const path = await world.stage(volume);
    await write(path, 'x'.repeat(1 << 20));
    const copy = await world.copyOf(await world.snapshotOf(volume));
    const copied = await world.stage(copy);
    for (const file of [path, copied]) {
      await rm(file);
      expect(() => execFileSync('fstrim', [join(file, '..')], { stdio: 'pipe' })).toThrow(/not supported/);
    }
    for (const object of [volume, copy])
      expect(await world.allocatedBytes(object)).toBeGreaterThanOrEqual(object.bytes);
  });

  test.each(filesystems)(
    'a thin %s takes what is written, gives back what is trimmed, and so do its copies',
    async (of) => {
      const volume = await world.make(of, { provisioning: 'thin', bytes: 1024n * MiB });
      const fresh = await world.allocatedBytes(volume);
      expect(fresh).toBeLessThan(100n * MiB);
      const path = await world.stage(volume);
      await write(path, 'x'.repeat(64 << 20));
      execFileSync('sync', ['--file-system', path]);
      expect(await world.allocatedBytes(volume)).toBeGreaterThanOrEqual(fresh + 60n * MiB);
      const copy = await world.copyOf(await world.snapshotOf(volume), { provisioning: 'thin', bytes: 2048n * MiB });
      expect(await world.allocatedBytes(copy)).toBeLessThan(fresh + 100n * MiB);
      await rm(path);
      // XFS frees what was removed a moment later, and only then can trim it.
      await vi.waitFor(
        async () => {
          execFileSync('sync', ['--file-system', join(path, '..')]);
          execFileSync('fstrim', [join(path, '..')], { stdio: 'pipe' });
          expect(await world.allocatedBytes(volume)).toBeLessThan(fresh + 32n * MiB);
        },
        { timeout: 20_000 },
      );
    },
  );

  test('direct I/O stays on through snapshots and copies', async () => {
    const volume = await world.make('ext4');
    const path = await world.stage(volume);
    await write(path, 'x');
    const copy = await world.copyOf(await world.snapshotOf(volume));
    await write(path, 'y');
    await world.stage(copy);
    for (const staged of [volume, copy]) {
      const device = await world.kernel.loops.find(world.imageOf(staged));
      expect(device?.directIo).toBe(true);
    }
  });

  test('what was written to a raw block device and not synced is in what is copied after a freeze', async () => {
    const volume = await world.make('block');
    const path = await world.stage(volume);
    const file = await open(path, 'r+');
    await file.write('unsynced', 0);
    expect(await world.engine.freeze(volume)).toBe(false);
    expect(await read(world.imageOf(volume), 8)).toBe('unsynced');
    await file.close();
    await world.engine.thaw(volume);
  });

  test('extents tell which bytes of two snapshots differ', async () => {
    const volume = await world.make('block');
    const path = await world.stage(volume);
    await write(path, 'x'.repeat(1 << 20));
    await world.unstage(volume);
    const before = await world.snapshotOf(volume);
    await write(await world.stage(volume), 'y'.repeat(4096), 256 << 10);
    await world.unstage(volume);
    const after = await world.snapshotOf(volume);
    const written = (await world.engine.extents(after)).filter(({ unwritten }) => !unwritten);
    const places = new Map((await world.engine.extents(before)).map(({ logical, physical }) => [logical, physical]));
    expect(written.reduce((sum, { length }) => sum + length, 0n)).toBe(1n * MiB);
    expect(written.find(({ logical }) => logical === 0n)?.physical === places.get(0n)).toBe(
      world.engine.offers.copies === 'shared',
    );
    if (world.engine.offers.copies === 'shared') {
      expect(written.find(({ logical }) => logical === 262144n)).toMatchObject({ length: 4096n });
    }
  });
});
