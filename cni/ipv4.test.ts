import fc from 'fast-check';
import { expect, test } from 'vitest';
import { contains, formatAddress, formatNetwork, parseAddress, parseNetwork, sizeOf } from './ipv4.ts';

const address = fc.integer({ min: 0, max: 0xffffffff });

test('every address survives being written and read', () => {
  fc.assert(fc.property(address, (value) => parseAddress(formatAddress(value)) === value));
});

test('every network survives, and contains exactly its own addresses', () => {
  fc.assert(
    fc.property(address, fc.integer({ min: 0, max: 32 }), address, (value, prefix, other) => {
      const network = { base: value - (value % sizeOf(prefix)), prefix };
      expect(parseNetwork(formatNetwork(network))).toEqual(network);
      expect(contains(network, value)).toBe(true);
      expect(contains(network, other)).toBe(other - (other % sizeOf(prefix)) === network.base);
    }),
  );
});

test.each(['', '1.2.3', '1.2.3.4.5', '1.2.3.256', '01.2.3.4', '1.2.3.-4', ' 1.2.3.4', '1.2.3.4\n', '::1', '1e1.2.3.4'])(
  '%j is no address',
  (text) => {
    expect(parseAddress(text)).toBeUndefined();
  },
);

test.each(['10.0.0.0', '10.0.0.0/', '10.0.0.0/33', '10.0.0.0/08', '10.0.0.1/24', '10.0.0.0/24/1', 'fd00::/64', '/24'])(
  '%j is no network',
  (text) => {
    expect(parseNetwork(text)).toBeUndefined();
  },
);

test('no text makes the parsers throw', () => {
  fc.assert(
    fc.property(fc.string(), (text) => {
      parseAddress(text);
      parseNetwork(text);
    }),
  );
});
