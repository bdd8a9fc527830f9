import { expect, test } from 'vitest';
import { parseNetwork } from './addresses.ts';
import { parseSpan } from './exclusions.ts';
import { AddressPool } from './pool.ts';

const ranges = ['10.1.0.0/30', '10.2.0.0/29', 'fd00::/126'].map((text) => parseNetwork(text)!);

test('a resting address of the first range waits while another range has one, and none is refused while any is free', () => {
  let now = 0;
  const pool = new AddressPool([ranges[0]!, ranges[1]!], [], { restMs: 30_000, now: () => now });
  const next = (): string => pool.allocate([])[0]!;
  expect(next()).toBe('10.1.0.2');
  pool.release(['10.1.0.2']);
  expect([next(), next(), next(), next()]).toEqual(['10.2.0.2', '10.2.0.3', '10.2.0.4', '10.2.0.5']);
  now = 1_000;
  pool.release(['10.2.0.3']);
  expect(pool.usage(4)).toEqual({ used: 3, free: 3, cooling: 2 });
  expect([next(), next(), next()]).toEqual(['10.2.0.6', '10.1.0.2', '10.2.0.3']);
  expect(() => next()).toThrow('no free address in 10.1.0.0/30, 10.2.0.0/29: all 6 are used by pods of this node');
});

test('after its rest an address of the first range comes before those of the second that nobody had', () => {
  let now = 0;
  const pool = new AddressPool([ranges[0]!, ranges[1]!], [], { restMs: 30_000, now: () => now });
  pool.release(pool.allocate([]));
  now = 30_000;
  expect(pool.allocate([])).toEqual(['10.1.0.2']);
});

test('one family exhausted takes nothing of the other', () => {
  const pool = new AddressPool([ranges[1]!, ranges[2]!], []);
  expect(pool.allocate([])).toEqual(['10.2.0.2', 'fd00::2']);
  expect(() => pool.allocate([])).toThrow('no free address in fd00::/126');
  expect(pool.usage(4).used).toBe(1);
});

test.each([
  ['10.2.0.3', 'is none for pods: it is excluded (network.exclude)'],
  ['10.2.0.0', 'is none for pods'],
  ['10.2.0.1', 'is none for pods'],
  ['10.2.0.7', 'is none for pods'],
  ['10.9.0.1', "is of none of the node's pod ranges (10.2.0.0/29)"],
  ['10.2.0.2', 'is in use'],
])('a request for %s is refused: it %s', (address, reason) => {
  const pool = new AddressPool([ranges[1]!], [], { excluded: [parseSpan('10.2.0.3')!] });
  pool.allocate([]);
  expect(() => pool.allocate([address])).toThrow(`the requested address ${address} ${reason}`);
  expect(pool.usage(4)).toMatchObject({ used: 1, free: 3 });
});
