// Image volumes where something goes wrong, on real pools of every kind: nothing is lost, nothing is left over.
import { execFileSync } from 'node:child_process';
import { open, readdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { errnoOf } from '../../kit/errors.ts';
import { filesystems, MiB, onEachPool, read, write } from './imageworld.ts';

onEachPool((world) => {
  test('a full pool leaves nothing of a copy', async () => {
    const volume = await world.make('block', { bytes: 1536n * MiB, provisioning: 'thin' });
    const path = await world.stage(volume);
    execFileSync('dd', ['if=/dev/zero', `of=${path}`, 'bs=1M', 'count=1536', 'oflag=direct', 'status=none']);
    await world.unstage(volume);
    const filler = await world.make('block', { bytes: 1024n * MiB });
    const copy = world.volumeOf('block', { bytes: 2048n * MiB, family: volume.family });
    await expect(world.engine.create(copy, volume)).rejects.toSatisfy((error) => errnoOf(error) === 'ENOSPC');
    await world.engine.discard(copy);
    const images = await readdir(world.pool.folders.images);
    expect(images.sort()).toEqual([volume, filler].map(({ id }) => `${id}.img`).sort());
    expect(await world.engine.strangers(world.made)).toEqual([]);
  });

  test('an ext4 that was not unmounted is checked and mounted, one that is damaged is refused and kept', async () => {
    const volume = await world.make('ext4');
    const path = await world.stage(volume);
    await write(path, 'precious');
    // Copied without a freeze: what a power loss leaves.
    const crashed = world.volumeOf('ext4', { use: volume.use, family: volume.family });
    await world.kernel.filesystems.copy(world.imageOf(volume), world.imageOf(crashed));
    expect((await world.kernel.filesystems.stateOf(world.imageOf(crashed)))?.clean).toBe(false);
    expect(await read(await world.stage(crashed), 8)).toBe('precious');
    await world.unstage(crashed);
    expect((await world.kernel.filesystems.stateOf(world.imageOf(crashed)))?.clean).toBe(true);

    // Without its root: nobody but its owner can decide what becomes of the rest.
    const image = world.imageOf(crashed);
    execFileSync('debugfs', ['-w', '-R', 'set_super_value state 0', image], { stdio: 'pipe' });
    execFileSync('debugfs', ['-w', '-R', 'clri <2>', image], { stdio: 'pipe' });
    await expect(world.stage(crashed)).rejects.toMatchObject({ code: 'FAILED_PRECONDITION' });
    expect(await world.engine.look(crashed)).toEqual({ attached: false, places: [] });
    expect(await world.engine.sizeOf(crashed)).toBe(crashed.bytes);
  });

  test.each(filesystems)('a %s whose beginning is gone is neither mounted nor formatted', async (type) => {
    const volume = await world.make(type);
    const image = await open(world.imageOf(volume), 'r+');
    await image.write(Buffer.alloc(128 << 10), 0, 128 << 10, 0);
    await image.close();
    await expect(world.stage(volume)).rejects.toMatchObject({ code: 'FAILED_PRECONDITION' });
    expect(await world.kernel.filesystems.identify(world.imageOf(volume))).toEqual({ kind: 'empty' });
    expect((await world.engine.look(volume)).attached).toBe(false);
  });

  test('a filesystem left frozen is thawed by an engine that did not freeze it', async () => {
    const volume = await world.make('xfs');
    const path = await world.stage(volume);
    expect(await world.engine.freeze(volume)).toBe(true);
    expect(await world.engine.freeze(volume)).toBe(true);
    const writing = write(path, 'waited');
    await (await world.startEngine()).thaw(volume);
    await writing;
    await world.engine.thaw(volume);
    expect(await read(path, 6)).toBe('waited');
  });

  test('what is in the trash comes back until the trash is emptied', async () => {
    const volume = await world.make('block');
    await write(await world.stage(volume), 'precious');
    await world.unstage(volume);
    const snapshot = await world.snapshotOf(volume);
    for (const object of [volume, snapshot]) {
      await world.engine.moveToTrash(object);
      await world.engine.moveToTrash(object);
      expect(await world.engine.sizeOf(object)).toBeUndefined();
    }
    await world.engine.emptyTrash((id) => id === snapshot.id);
    await world.engine.restoreFromTrash(volume);
    await world.engine.restoreFromTrash(volume);
    expect(await read(await world.stage(volume), 8)).toBe('precious');
    await expect(world.engine.moveToTrash(volume)).resolves.toBeUndefined();
    await expect(world.engine.restoreFromTrash(snapshot)).rejects.toMatchObject({ code: 'NOT_FOUND' });
  });

  test('a volume in use is not taken away', async () => {
    const volume = await world.make('ext4');
    await world.stage(volume);
    for (const way of ['moveToTrash', 'discard', 'detach'] as const)
      await expect(world.engine[way](volume)).rejects.toMatchObject({ code: 'BUSY' });
    await world.unstage(volume);
    await world.engine.detach(volume);
    await world.engine.discard(volume);
    await world.engine.detach(volume);
  });

  test('what belongs to nobody is told and kept; of its own folder the trash tells', async () => {
    const volume = await world.make('block');
    const snapshot = await world.snapshotOf(volume);
    const files = ['images/notes.txt', `snapshots/${volume.id}.img`, 'trash/old'];
    for (const file of files) await writeFile(join(world.pool.path, file), 'text');
    await world.engine.emptyTrash(() => true);
    const found = await world.engine.strangers([volume, snapshot]);
    const told = files.slice(0, 2).map((file) => ({ file, bytes: 4n }));
    expect([...found].sort((a, b) => a.file.localeCompare(b.file))).toEqual(told);
    expect(await readdir(join(world.pool.path, 'trash'))).toEqual(['old']);
    for (const file of files) await rm(join(world.pool.path, file));
  });
});
