import fc from 'fast-check';
import { expect, test } from 'vitest';
import { ReturnedAddresses } from './returned.ts';

test('whatever is given back, asked for and waited, the oldest comes first, and rested means the time is over', () => {
  const step = fc.oneof(
    fc.record({ op: fc.constant('add' as const), address: fc.nat({ max: 20 }) }),
    fc.record({ op: fc.constant('delete' as const), address: fc.nat({ max: 20 }) }),
    fc.record({ op: fc.constantFrom('rested' as const, 'oldest' as const), address: fc.constant(0) }),
    fc.record({ op: fc.constant('wait' as const), address: fc.nat({ max: 15 }) }),
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 300 }), (steps) => {
      let now = 0;
      let model: { address: bigint; at: number }[] = [];
      const returned = new ReturnedAddresses(10, () => now);
      for (const { op, address: number } of steps) {
        const address = BigInt(number);
        const known = model.some((entry) => entry.address === address);
        if (op === 'wait') now += number;
        else if (op === 'add') {
          if (known) continue;
          model.push({ address, at: now });
          returned.add(address);
        } else if (op === 'delete') {
          expect(returned.delete(address)).toBe(known);
          model = model.filter((entry) => entry.address !== address);
        } else {
          const first = model[0];
          const taken = op === 'oldest' || (first !== undefined && first.at <= now - 10) ? first : undefined;
          expect(op === 'oldest' ? returned.takeOldest() : returned.takeRested()).toBe(taken?.address);
          if (taken !== undefined) model.shift();
        }
        expect(returned.resting).toBe(model.filter(({ at }) => at > now - 10).length);
        expect(returned.oldest).toBe(model[0]?.at);
      }
    }),
  );
});

test('one address that comes and goes for ever does not fill the memory, nor lose the order of the others', () => {
  const returned = new ReturnedAddresses(10, () => 0);
  for (const address of [1n, 2n, 3n]) returned.add(address);
  for (let at = 0; at < 100_000; at++) {
    returned.add(9n);
    expect(returned.delete(9n)).toBe(true);
  }
  expect([returned.takeOldest(), returned.takeOldest(), returned.takeOldest(), returned.takeOldest()]).toEqual([
    1n,
    2n,
    3n,
    undefined,
  ]);
});
