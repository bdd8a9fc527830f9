import { pino } from 'pino';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { Upkeep } from './upkeep.ts';
import type { Care } from './upkeep.ts';

let counted: string[] = [];
let upkeep: Upkeep | undefined;
beforeEach(() => {
  vi.useFakeTimers();
  counted = [];
});
afterEach(async () => {
  await upkeep?.stop();
  vi.useRealTimers();
});

async function keep(mend: Care['mend']): Promise<Upkeep> {
  upkeep = new Upkeep([{ what: 'thing', everyMs: 100, mend }], (what) => counted.push(what), pino({ level: 'silent' }));
  await upkeep.start();
  return upkeep;
}

test('looks at the start and then again and again, and counts what it repaired', async () => {
  let gone = false;
  await keep(() => Promise.resolve(gone));
  expect(counted).toEqual([]);
  gone = true;
  await vi.advanceTimersByTimeAsync(100);
  gone = false;
  await vi.advanceTimersByTimeAsync(500);
  expect(counted).toEqual(['thing']);
});

test('what cannot be repaired makes it not ready, until it can', async () => {
  let broken: Error | undefined = new Error('the folder is read-only');
  const kept = await keep(() => (broken === undefined ? Promise.resolve(true) : Promise.reject(broken)));
  expect(kept.notReady()).toBe('thing is broken and cannot be restored: the folder is read-only');
  broken = undefined;
  await vi.advanceTimersByTimeAsync(100);
  expect([kept.notReady(), counted]).toEqual([undefined, ['thing']]);
});

test('one look at a time, and none after the end', async () => {
  let looks = 0;
  let release: () => void = () => undefined;
  const kept = await keep(() => {
    looks++;
    return looks === 1
      ? Promise.resolve(false)
      : new Promise((resolve) => {
          release = () => {
            resolve(false);
          };
        });
  });
  await vi.advanceTimersByTimeAsync(1_000);
  expect(looks).toBe(2);
  const stopped = kept.stop();
  release();
  await stopped;
  await vi.advanceTimersByTimeAsync(1_000);
  expect(looks).toBe(2);
});

test.each([
  [true, true],
  [false, false],
])('when what is broken carries pods (%s), they are cut off: %s', async (carriesPods, cutOff) => {
  const broken = { what: 'thing', everyMs: 100, carriesPods, mend: () => Promise.reject(new Error('refused')) };
  const well = { what: 'other', everyMs: 100, carriesPods: true, mend: () => Promise.resolve(false) };
  upkeep = new Upkeep([broken, well], () => undefined, pino({ level: 'silent' }));
  await upkeep.start();
  expect(upkeep.podsAreCutOff()).toBe(cutOff);
});
