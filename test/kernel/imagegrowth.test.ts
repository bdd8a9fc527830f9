// Image volumes that grow on real pools of every kind: while written to, after crashes, and where there is no room.
import { open } from 'node:fs/promises';
import { expect, test } from 'vitest';
import { filesystems, MiB, onEachPool, read, write } from './imageworld.ts';

onEachPool((world) => {
  test.each(filesystems)('a %s grows while it is written to', async (type) => {
    const volume = await world.make(type);
    const path = await world.stage(volume);
    const before = await world.shownBytes(volume);
    let [ended, lines] = [false, 0];
    const writing = (async (): Promise<void> => {
      for (; !ended; lines++) await write(path, `${String(lines).padStart(9)}\n`);
    })();
    const grown = { ...volume, bytes: volume.bytes + 256n * MiB };
    const outcome = await world.engine.grow(grown).then(
      () => 'grown',
      (error: unknown) => (error as { code?: unknown }).code,
    );
    ended = true;
    await writing;
    // Without CAP_SYS_RESOURCE an ext4 grows at the next staging only.
    expect(outcome === 'grown' || (type === 'ext4' && outcome === 'FAILED_PRECONDITION')).toBe(true);
    if (outcome === 'grown') expect(await world.shownBytes(volume)).toBeGreaterThan(before + 200n * MiB);
    await world.unstage(volume);
    const again = await world.stage(grown);
    expect(await world.shownBytes(volume)).toBeGreaterThan(before + 200n * MiB);
    expect(await read(again, lines * 10)).toBe(
      Array.from({ length: lines }, (_, line) => `${String(line).padStart(9)}\n`).join(''),
    );
    await world.engine.grow(grown);
    expect(await world.allocatedBytes(volume)).toBeGreaterThanOrEqual(grown.bytes);
  });

  test('a raw block volume grows while it is open', async () => {
    const volume = await world.make('block');
    const path = await world.stage(volume);
    const file = await open(path, 'r+');
    await file.write('begin', 0);
    const grown = { ...volume, bytes: 2n * volume.bytes };
    await world.engine.grow(grown);
    await file.write('end', Number(grown.bytes) - 3);
    await expect(file.write('x', Number(grown.bytes))).rejects.toMatchObject({ code: 'ENOSPC' });
    await file.close();
    expect(await world.shownBytes(volume)).toBe(grown.bytes);
    expect(await read(path, 5)).toBe('begin');
  });

  test.each(['grow.extended', 'grow.attached'])(
    'a growth broken off at %s is finished by the next one',
    async (point) => {
      const volume = await world.make('xfs');
      await world.stage(volume);
      const before = await world.shownBytes(volume);
      const grown = { ...volume, bytes: volume.bytes + 128n * MiB };
      await world.breakOff(point, () => world.engine.grow(grown));
      await world.engine.grow(grown);
      await world.engine.grow(grown);
      expect(await world.shownBytes(volume)).toBeGreaterThan(before + 100n * MiB);
    },
  );

  test.each(['grow.extended', 'grow.attached'])('a growth broken off at %s is finished by a staging', async (point) => {
    const volume = await world.make('ext4');
    await world.stage(volume);
    const before = await world.shownBytes(volume);
    const grown = { ...volume, bytes: volume.bytes + 128n * MiB };
    await world.breakOff(point, () => world.engine.grow(grown));
    for (const { path } of (await world.engine.look(volume)).places) await world.engine.unmount(path);
    // The device stays attached, as after a crash.
    await world.stage(grown);
    expect(await world.shownBytes(volume)).toBeGreaterThan(before + 100n * MiB);
  });

  test('a volume that cannot have the space stays as it was', async () => {
    const volume = await world.make('block');
    await world.stage(volume);
    await expect(world.engine.grow({ ...volume, bytes: 8192n * MiB })).rejects.toMatchObject({ code: 'ENOSPC' });
    expect(await world.engine.sizeOf(volume)).toBe(volume.bytes);
    expect(await world.shownBytes(volume)).toBe(volume.bytes);
  });
});
