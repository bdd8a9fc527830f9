import { expect, test } from 'vitest';
import { parseNetwork } from './addresses.ts';
import { hostLinkName, macOf } from './attachment.ts';
import type { Attachment } from './attachment.ts';
import { parseSpan } from './exclusions.ts';
import { AddressPool } from './pool.ts';

function gone(containerID: string, address: string): Attachment {
  const key = { containerID, ifname: 'eth0' };
  return {
    ...key,
    network: 'berth',
    netns: { path: '/run/netns/gone', identity: '4:1' },
    addresses: [address],
    host: { name: hostLinkName(key), index: 10, mac: macOf(key, 'host') },
    sandbox: { name: 'eth0', index: 11, mac: macOf(key, 'sandbox') },
    mtu: 1400,
    state: 'active',
    since: 1,
  };
}

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

test('what the start released rests, unless somebody has it, and is there when nothing else is', () => {
  let now = 0;
  const held = new Map([['c9/eth0', ['10.2.0.5']]]);
  const released = [gone('c1', '10.2.0.2'), gone('c2', '10.2.0.3'), gone('c3', '10.2.0.4'), gone('c4', '10.2.0.5')];
  const living = [gone('c5', '10.2.0.4')];
  const pool = new AddressPool([ranges[1]!], living, { restMs: 30_000, now: () => now }, { held, released });
  expect(pool.usage(4)).toEqual({ used: 2, free: 3, cooling: 2 });
  expect(pool.allocate([])).toEqual(['10.2.0.6']);
  expect(pool.allocate([])).toEqual(['10.2.0.2']);
  now = 30_000;
  expect(pool.usage(4)).toEqual({ used: 4, free: 1, cooling: 0 });
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
