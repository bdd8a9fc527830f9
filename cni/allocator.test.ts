import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Allocator } from './allocator.ts';
import { formatAddress, parseAddress, parseNetwork } from './addresses.ts';
import { parseSpan } from './exclusions.ts';

function range(text: string): NonNullable<ReturnType<typeof parseNetwork>> {
  return parseNetwork(text)!;
}

function take(allocator: Allocator, count: number): string[] {
  return Array.from({ length: count }, () => formatAddress(allocator.network.family, allocator.allocate()!));
}

test('the network, first and broadcast address are never handed out', () => {
  const allocator = new Allocator(range('10.1.0.0/29'));
  expect(take(allocator, 5)).toEqual(['10.1.0.2', '10.1.0.3', '10.1.0.4', '10.1.0.5', '10.1.0.6']);
  expect(allocator.allocate()).toBeUndefined();
});

test('an address given back comes last', () => {
  const allocator = new Allocator(range('10.1.0.0/29'));
  take(allocator, 2);
  allocator.release(parseAddress('10.1.0.2')!.value);
  allocator.release(parseAddress('10.1.0.3')!.value);
  expect(take(allocator, 5)).toEqual(['10.1.0.4', '10.1.0.5', '10.1.0.6', '10.1.0.2', '10.1.0.3']);
});

test('after a restart it goes on behind the latest address and keeps off those in use', () => {
  const used = ['10.1.0.4', '10.1.0.6', '192.0.2.1'].map((text) => parseAddress(text)!.value);
  const allocator = new Allocator(range('10.1.0.0/29'), { used, last: parseAddress('10.1.0.4')!.value });
  expect(allocator.used).toBe(2);
  expect(take(allocator, 3)).toEqual(['10.1.0.5', '10.1.0.2', '10.1.0.3']);
});

test.each(['10.1.0.0/31', '10.1.0.0/32', 'fd00::/127'])('%s is too small', (text) => {
  expect(() => new Allocator(range(text))).toThrow(/too small/);
});

test('whatever is taken and given back, no address is held twice and all can be had', () => {
  const steps = fc.array(
    fc.oneof(fc.constant('take'), fc.nat({ max: 40 }), fc.record({ claim: fc.nat({ max: 40 }) })),
    { maxLength: 200 },
  );
  const before = fc.uniqueArray(fc.bigInt({ min: 0x0a010000n, max: 0x0a01001fn }));
  fc.assert(
    fc.property(steps, before, fc.bigInt({ min: 0x0a00fff0n, max: 0x0a010030n }), (plan, used, last) => {
      const allocator = new Allocator(range('10.1.0.0/27'), { used, last });
      const held = new Set(used.filter((address) => allocator.has(address)));
      for (const step of plan) {
        if (step === 'take' && allocator.free > 0) {
          const address = allocator.allocate()!;
          expect(held.has(address)).toBe(false);
          expect(address).toBeGreaterThan(0x0a010001n);
          expect(address).toBeLessThan(0x0a01001fn);
          held.add(address);
        } else if (typeof step === 'number') {
          allocator.release(0x0a010000n + BigInt(step));
          held.delete(0x0a010000n + BigInt(step));
        } else if (typeof step === 'object') {
          const address = 0x0a010000n + BigInt(step.claim);
          if (allocator.claim(address)) {
            expect(held.has(address)).toBe(false);
            held.add(address);
          }
        }
        expect(allocator.used).toBe(held.size);
      }
      while (allocator.free > 0) allocator.allocate();
      expect(allocator.allocate()).toBeUndefined();
    }),
  );
});

test('a /16 is used up and round again in no time', () => {
  const allocator = new Allocator(range('10.2.0.0/16'));
  for (let at = 0; at < 3 * allocator.size; at++) allocator.release(allocator.allocate()!);
  expect(allocator.used).toBe(0);
});

test('of an IPv6 range the first addresses are handed out', () => {
  expect(take(new Allocator(range('fd00:1::/64')), 2)).toEqual(['fd00:1::2', 'fd00:1::3']);
  expect(take(new Allocator(range('fd00:1::/126')), 1)).toEqual(['fd00:1::2']);
});

test('an address asked for is had once, and never the reserved ones', () => {
  const allocator = new Allocator(range('10.1.0.0/29'));
  expect(allocator.claim(parseAddress('10.1.0.3')!.value)).toBe(true);
  for (const text of ['10.1.0.3', '10.1.0.0', '10.1.0.1', '10.1.0.7', '10.1.0.8'])
    expect(allocator.claim(parseAddress(text)!.value)).toBe(false);
  expect(take(allocator, 4)).toEqual(['10.1.0.2', '10.1.0.4', '10.1.0.5', '10.1.0.6']);
});

test('excluded addresses are neither handed out nor counted', () => {
  const excluded = ['10.1.0.0', '10.1.0.3', '10.1.0.5-10.1.0.9', '10.2.0.0/24'].map((text) => parseSpan(text)!);
  const allocator = new Allocator(range('10.1.0.0/28'), { excluded });
  expect([allocator.size, allocator.free]).toEqual([7, 7]);
  expect(allocator.claim(parseAddress('10.1.0.6')!.value)).toBe(false);
  expect(take(allocator, 7)).toEqual([2, 4, 10, 11, 12, 13, 14].map((last) => `10.1.0.${last}`));
  expect(allocator.allocate()).toBeUndefined();
});

test('a range of which everything is excluded is refused', () => {
  const excluded = [parseSpan('10.1.0.0/28')!];
  expect(() => new Allocator(range('10.1.0.0/28'), { excluded })).toThrow(
    'network.exclude leaves no address of the pod range 10.1.0.0/28 for pods',
  );
});

test('half of a /64 excluded costs no walk', () => {
  const allocator = new Allocator(range('fd00::/64'), { excluded: [parseSpan('fd00::-fd00::f0:0')!] });
  expect(take(allocator, 1)).toEqual(['fd00::f0:1']);
});

test('an address given back rests, and is taken before its time only when nothing else is free', () => {
  let now = 0;
  const allocator = new Allocator(range('10.1.0.0/29'), { restMs: 30_000, now: () => now });
  take(allocator, 5);
  allocator.release(parseAddress('10.1.0.4')!.value);
  now = 10_000;
  allocator.release(parseAddress('10.1.0.2')!.value);
  expect([allocator.cooling, allocator.free]).toEqual([2, 2]);
  expect(allocator.allocateRested()).toBeUndefined();
  now = 30_000;
  expect(allocator.cooling).toBe(1);
  expect(formatAddress(4, allocator.allocateRested()!)).toBe('10.1.0.4');
  expect(allocator.allocateRested()).toBeUndefined();
  expect(take(allocator, 1)).toEqual(['10.1.0.2']);
  expect([allocator.cooling, allocator.free]).toEqual([0, 0]);
});
