import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Ledger } from './ledger.ts';
import { GiB, MiB } from './quantity.ts';

/** A disk whose free space is read with a delay of some ticks, as statfs is. */
function disk(total: bigint): { used: bigint; read: () => Promise<{ total: bigint; available: bigint }> } {
  const state = {
    used: 0n,
    read: async () => {
      const available = total - state.used;
      await Promise.resolve();
      await Promise.resolve();
      return { total, available };
    },
  };
  return state;
}

test('a volume beyond the room is refused with figures, also those of creations in progress', async () => {
  const ledger = new Ledger({ pool: 'fast', limit: 10n * GiB, space: disk(100n * GiB).read });
  await ledger.reserve('a', 5n * GiB);
  await expect(ledger.reserve('b', 6n * GiB)).rejects.toMatchObject({
    code: 'RESOURCE_EXHAUSTED',
    message:
      'pool "fast" can take a volume of 5 GiB, 6 GiB asked (5 GiB reserved by 1 creations in progress); ' +
      'delete volumes, enlarge the pool or ask for less [pool-full]',
  });
  await ledger.release('a');
  await ledger.reserve('b', 6n * GiB);
});

test('a hundredth of the disk is left, at least 16 MiB', async () => {
  expect(await new Ledger({ pool: 'p', space: disk(100n * MiB).read }).available()).toBe(84n * MiB);
  expect(await new Ledger({ pool: 'p', space: disk(10n * GiB).read }).available()).toBe(10n * GiB - (10n * GiB) / 100n);
});

test('who needs the space that is being freed waits for it, and nobody else', async () => {
  const space = disk(100n * MiB);
  space.used = 64n * MiB;
  const ledger = new Ledger({ pool: 'p', space: space.read });
  const { promise, resolve } = Promise.withResolvers<undefined>();
  ledger.whileFreeing(promise);
  await ledger.reserve('small', 4n * MiB);
  const waiting = [ledger.reserve('large', 64n * MiB), ledger.available()] as const;
  space.used = 0n;
  resolve(undefined);
  await waiting[0];
  expect(await waiting[1]).toBeLessThanOrEqual(80n * MiB);
  expect(await ledger.available()).toBe(16n * MiB);
});

test('space that could not be freed is not waited for again', async () => {
  const ledger = new Ledger({ pool: 'p', space: disk(100n * MiB).read });
  ledger.whileFreeing(Promise.reject(new Error('the disk broke')));
  expect(await ledger.available()).toBe(84n * MiB);
});

test('whatever is made and deleted in parallel, no more is promised than there is', async () => {
  const step = fc.record({ id: fc.nat(7), bytes: fc.bigInt(1n, 64n), ticks: fc.nat(6), kept: fc.boolean() });
  const property = fc.asyncProperty(
    fc.array(step, { maxLength: 30 }),
    fc.option(fc.bigInt(1n, 200n)),
    async (steps, limit) => {
      const total = 216n * MiB;
      const space = disk(total);
      const ledger = new Ledger({ pool: 'p', limit: limit === null ? undefined : limit * MiB, space: space.read });
      await Promise.all(
        steps.map(async ({ bytes, ticks, kept }, i) => {
          const id = String(i);
          const size = bytes * MiB;
          const reserved = await ledger.reserve(id, size).then(
            () => true,
            () => false,
          );
          if (!reserved) return;
          expect(ledger.reserved).toBeLessThanOrEqual(limit === null ? total : limit * MiB);
          for (let tick = 0; tick < ticks; tick++) await Promise.resolve();
          space.used += size;
          expect(space.used).toBeLessThanOrEqual(total);
          await ledger.settle(id);
          if (kept) return;
          space.used -= size;
          await ledger.release(id);
        }),
      );
      expect(ledger.reserved).toBe(space.used);
    },
  );
  await fc.assert(property, { numRuns: 200 });
});

describe('space that nobody needs', () => {
  /** A pool of 100 GiB, filled by what was deleted, of which `reclaim` frees as much as it says. */
  function filled(limit?: bigint): { ledger: Ledger; freed: bigint[] } {
    const space = disk(100n * GiB);
    space.used = 99n * GiB;
    const freed: bigint[] = [];
    const ledger = new Ledger({ pool: 'fast', limit, space: space.read, marginOf: () => 0n });
    ledger.useSpare({
      get bytes() {
        return space.used;
      },
      get most() {
        return space.used;
      },
      reclaim: (bytes) => {
        freed.push(bytes);
        // Half of it was shared with somebody.
        space.used -= bytes > 1n ? bytes / 2n : 1n;
        return Promise.resolve(freed.length < 60);
      },
    });
    return { ledger, freed };
  }

  test('is told as available, and freed for whoever takes it, no more than is needed', async () => {
    const { ledger, freed } = filled();
    expect(await ledger.available()).toBe(100n * GiB);
    await ledger.reserve('a', GiB);
    expect(freed).toEqual([]);
    await ledger.reserve('b', 4n * GiB);
    expect(freed.slice(0, 3)).toEqual([4n * GiB, 2n * GiB, GiB]);
    expect(await ledger.available()).toBe(95n * GiB);
  });

  test('is not freed where the configured capacity forbids the volume anyway, and counts not as used for thin ones', async () => {
    const { ledger, freed } = filled(10n * GiB);
    expect(await ledger.available()).toBe(10n * GiB);
    await ledger.assertUsedAtMost(1);
    await expect(ledger.reserve('a', 11n * GiB)).rejects.toMatchObject({ code: 'RESOURCE_EXHAUSTED' });
    expect(freed).toEqual([]);
  });

  test('is promised again to what has it still, unless others were promised it', async () => {
    const { ledger } = filled(100n * GiB);
    await ledger.readmit('a', 90n * GiB, 90n * GiB);
    expect([ledger.reserved, await ledger.available()]).toEqual([90n * GiB, 10n * GiB]);
    const refused = {
      code: 'RESOURCE_EXHAUSTED',
      message: expect.stringContaining('11 GiB needed, of which 11 GiB') as string,
    };
    await expect(ledger.readmit('b', 11n * GiB, 11n * GiB)).rejects.toMatchObject(refused);
    // Of which it has a part only; the disk has 1 GiB left.
    await expect(ledger.readmit('c', 4n * GiB, 2n * GiB)).rejects.toMatchObject({ code: 'RESOURCE_EXHAUSTED' });
    await ledger.readmit('c', 4n * GiB, 3n * GiB);
  });

  test('is lacking when others took what has to stay free', async () => {
    const space = disk(10n * GiB);
    const ledger = new Ledger({ pool: 'fast', space: space.read, marginOf: () => GiB });
    space.used = 9n * GiB;
    expect(await ledger.lacking()).toBe(0n);
    space.used = 9n * GiB + MiB;
    expect(await ledger.lacking()).toBe(MiB);
  });
});
