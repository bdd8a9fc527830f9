import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { Unit } from '../units/unit.ts';
import { deviceId, unitIdOf } from './deviceid.ts';
import { state, unit } from './fake/state.ts';
import { preferredDevices } from './preferred.ts';

const hub = (name: string): Partial<Unit> => ({ lineage: [`/devices/pci/usb1/${name}`, '/devices/pci'] });
const units = (...names: string[]): Unit[] => names.map((name) => unit(name, [`/dev/${name}`]));
const replicas = (names: readonly string[], count: number): string[] =>
  names.flatMap((name) => Array.from({ length: count }, (_, n) => deviceId(name, n)));

function prefer(
  of: readonly Unit[],
  available: readonly string[],
  size: number,
  rule: object = {},
  must: string[] = [],
) {
  return preferredDevices(state(rule, of), { available, mustInclude: must, size });
}

const shared = { sharing: { replicas: 3 } };

test('distributed: the unit that the fewest containers have comes first', () => {
  const free = ['a::2', 'b::1', 'b::2', 'c::2'];
  expect(prefer(units('a', 'b', 'c'), free, 1, shared)).toEqual(['b::1']);
});

test('thousands of replicas of one unit are given in the order of their numbers', () => {
  const rule = { sharing: { replicas: 10_000 } };
  const all = replicas(['a', 'b'], 10_000);
  const chosen = prefer(units('a', 'b'), all.toReversed(), 20_000, rule);
  expect(chosen.slice(0, 4)).toEqual(['a::0', 'b::0', 'a::1', 'b::1']);
  expect(new Set(chosen)).toEqual(new Set(all));
});

test('packed: the fullest unit that still has room comes first', () => {
  const free = ['a::1', 'a::2', 'b::2', 'c::0', 'c::1', 'c::2'];
  expect(prefer(units('a', 'b', 'c', 'd'), free, 1, { sharing: { replicas: 3, policy: 'packed' } })).toEqual(['b::2']);
});

test.each(['distributed', 'packed'])('%s: two replicas of a unit only when there is nothing else', (policy) => {
  const rule = { sharing: { replicas: 3, policy, maxPerContainer: 2 } };
  const free = replicas(['a', 'b'], 3);
  expect(prefer(units('a', 'b'), free, 2, rule).map(unitIdOf).sort()).toEqual(['a', 'b']);
  expect(prefer(units('a', 'b'), free, 4, rule).map(unitIdOf).sort()).toEqual(['a', 'a', 'b', 'b']);
});

test('more than maxPerContainer comes last, for the refusal of Allocate says why', () => {
  const rule = { sharing: { replicas: 3, maxPerContainer: 1 } };
  expect(prefer(units('a'), replicas(['a'], 3), 2, rule)).toEqual(['a::0', 'a::1']);
});

test('what must be included is, and the rest is near to it', () => {
  const of = [unit('a', [], hub('1-1')), unit('b', [], hub('1-2')), unit('c', [], hub('1-2'))];
  expect(prefer(of, ['a::0', 'b::0', 'c::0'], 2, {}, ['c::0'])).toEqual(['c::0', 'b::0']);
});

test('several units come from one NUMA node where it has enough, the smallest such', () => {
  const on = (id: string, numaNode: number): Unit => unit(id, [], { numaNode });
  const of = [on('a', 0), on('b', 1), on('c', 1), on('d', 2), on('e', 2), on('f', 2)];
  const free = of.map(({ id }) => deviceId(id, 0));
  expect(prefer(of, free, 2)).toEqual(['b::0', 'c::0']);
  expect(prefer(of, free, 3)).toEqual(['d::0', 'e::0', 'f::0']);
  expect(prefer(of, free, 1)).toEqual(['a::0']);
});

test('several units come from one hub', () => {
  const of = [unit('a', [], hub('1-1')), unit('b', [], hub('1-2')), unit('c', [], hub('1-2'))];
  expect(prefer(of, ['a::0', 'b::0', 'c::0'], 2)).toEqual(['b::0', 'c::0']);
});

test('a large request is answered the same way', () => {
  const names = Array.from({ length: 100 }, (_, n) => `u${String(n).padStart(3, '0')}`);
  const free = replicas(names, 3);
  const answer = prefer(units(...names), free, 150, { sharing: { replicas: 3, maxPerContainer: 2 } });
  expect(answer.filter((id) => id.endsWith('::0'))).toHaveLength(100);
  expect(answer.filter((id) => id.endsWith('::1'))).toHaveLength(50);
});

test('a device that the state no longer has is still one of the kubelet’s', () => {
  expect(prefer(units('a'), ['gone::0', 'a::0', 'odd'], 3)).toEqual(['a::0', 'gone::0', 'odd']);
});

test('the answer is exact, without doubles, from what is free, with what must be, and the same in any order', () => {
  const ids = fc.uniqueArray(fc.tuple(fc.constantFrom('a', 'b', 'c', 'd'), fc.nat(4)), {
    selector: ([name, n]) => deviceId(name, n),
    minLength: 1,
  });
  fc.assert(
    fc.property(
      ids,
      fc.nat(20),
      fc.nat(3),
      fc.constantFrom('packed', 'distributed'),
      (pairs, wanted, musts, policy) => {
        const free = pairs.map(([name, n]) => deviceId(name, n));
        const size = Math.min(free.length, wanted);
        const must = free.slice(0, Math.min(musts, size));
        const rule = { sharing: { replicas: 5, policy } };
        const answer = prefer(units('a', 'b', 'c', 'd'), free, size, rule, must);
        expect(answer).toHaveLength(size);
        expect(new Set(answer).size).toBe(size);
        expect(free).toEqual(expect.arrayContaining(answer));
        expect(answer.slice(0, must.length)).toEqual(must);
        expect(prefer(units('d', 'c', 'b', 'a'), free.toReversed(), size, rule, must)).toEqual(answer);
      },
    ),
  );
});
