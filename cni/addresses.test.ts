import fc from 'fast-check';
import { expect, test } from 'vitest';
import { contains, formatAddress, formatNetwork, overlap, parseAddress, parseNetwork, sizeOf } from './addresses.ts';
import type { Network } from './addresses.ts';

const address = fc.oneof(
  fc.record({ family: fc.constant(4 as const), value: fc.bigInt({ min: 0n, max: 2n ** 32n - 1n }) }),
  fc.record({ family: fc.constant(6 as const), value: fc.bigInt({ min: 0n, max: 2n ** 128n - 1n }) }),
);

test('every address survives being written and read', () => {
  fc.assert(
    fc.property(address, ({ family, value }) => {
      expect(parseAddress(formatAddress(family, value))).toEqual({ family, value });
    }),
  );
});

test('every network survives, and contains exactly its own addresses', () => {
  fc.assert(
    fc.property(address, fc.integer({ min: 0, max: 32 }), ({ family, value }, prefix) => {
      const size = sizeOf({ family, prefix });
      const network: Network = { family, base: value - (value % size), prefix };
      expect(parseNetwork(formatNetwork(network))).toEqual(network);
      expect(contains(network, value)).toBe(true);
      expect(contains(network, network.base + size)).toBe(false);
      expect(contains(network, network.base - 1n)).toBe(false);
    }),
  );
});

test.each(['', '1.2.3', '1.2.3.4.5', '1.2.3.256', '01.2.3.4', '1.2.3.-4', ' 1.2.3.4', '1.2.3.4\n', '1e1.2.3.4', ':::'])(
  '%j is no address',
  (text) => {
    expect(parseAddress(text)).toBeUndefined();
  },
);

test.each([
  '10.0.0.0',
  '10.0.0.0/',
  '10.0.0.0/33',
  '10.0.0.0/08',
  '10.0.0.1/24',
  '10.0.0.0/24/1',
  'fd00::/129',
  'fd00::1/64',
  '/24',
])('%j is no network', (text) => {
  expect(parseNetwork(text)).toBeUndefined();
});

test('networks overlap when one lies in the other, within a family', () => {
  const [wide, narrow, six] = ['10.0.0.0/8', '10.1.0.0/16', '::/0'].map((text) => parseNetwork(text)!);
  expect([overlap(wide!, narrow!), overlap(narrow!, wide!), overlap(wide!, six!)]).toEqual([true, true, false]);
});

test('no text makes the parsers throw', () => {
  fc.assert(
    fc.property(fc.string(), (text) => {
      parseAddress(text);
      parseNetwork(text);
    }),
  );
});
