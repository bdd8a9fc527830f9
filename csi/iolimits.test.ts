import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { hasLimits, parseIoLimits } from './iolimits.ts';

const MiB = 1n << 20n;

test('integers and quantities become limits', () => {
  const limits = parseIoLimits({ 'iops.read': '500', 'iops.write': '100', 'bps.read': '20Mi', 'bps.write': '1G' });
  expect(limits).toEqual({ riops: 500n, wiops: 100n, rbps: 20n * MiB, wbps: 1_000_000_000n });
  expect(hasLimits(limits)).toBe(true);
});

test.each(['0', 'max'])('%j takes a limit off', (value) => {
  const limits = parseIoLimits({ 'iops.read': value, 'bps.write': value });
  expect(limits).toEqual({});
  expect(hasLimits(limits)).toBe(false);
});

test('nothing asked, nothing limited', () => {
  expect(hasLimits(parseIoLimits({}))).toBe(false);
});

describe('an unknown key is named with the nearest that is known', () => {
  test.each([
    ['iops.reads', 'iops.read'],
    ['iops.writ', 'iops.write'],
    ['bpsread', 'bps.read'],
    ['bps-write', 'bps.write'],
    ['IOPS.WRITE', 'iops.write'],
    ['constructor', 'iops.write'],
    ['__proto__', 'iops.read'],
    ['', 'bps.read'],
    ['x'.repeat(4096), 'iops.read'],
  ])('%#', (key, near) => {
    const entries = Object.fromEntries([[key, '500']]);
    let message = '';
    try {
      parseIoLimits(entries);
    } catch (error) {
      message = String(error);
      expect(error).toMatchObject({ code: 'INVALID_ARGUMENT' });
    }
    expect(message).toContain(JSON.stringify(key.slice(0, 64)));
    expect(message).toMatch(/did you mean "(iops|bps)\.(read|write)"\?/);
    if (['iops', 'bps'].some((word) => key.toLowerCase().startsWith(word))) expect(message).toContain(`"${near}"?`);
    expect(message.length).toBeLessThan(400);
  });
});

describe('a value that makes no sense is refused with what would', () => {
  test.each([
    ['iops.read', '', /an integer such as "500"/],
    ['iops.read', '1k', /an integer/],
    ['iops.read', '-1', /an integer/],
    ['iops.read', '1e3', /an integer/],
    ['iops.read', ' 500', /an integer/],
    ['iops.read', '99', /100 to 10000000 a second/],
    ['iops.write', '10000001', /100 to 10000000/],
    ['iops.write', '9'.repeat(40), /an integer/],
    ['bps.read', 'fast', /a quantity such as "20Mi"/],
    ['bps.read', '1.5Mi', /a quantity/],
    ['bps.read', '20MB', /a quantity/],
    ['bps.read', '20', /1 MiB to 1 TiB a second/],
    ['bps.write', '2Ti', /1 MiB to 1 TiB/],
    ['bps.write', '00', /1 MiB to 1 TiB/],
    ['bps.write', 'Max', /a quantity/],
  ])('%s: %j', (key, value, reason) => {
    const refusal = { code: 'INVALID_ARGUMENT', message: expect.stringMatching(reason) as string };
    expect(() => parseIoLimits({ [key]: value })).toThrow(expect.objectContaining(refusal));
    expect(() => parseIoLimits({ 'iops.read': '500', [key]: value })).toThrow(expect.objectContaining(refusal));
  });
});

test('whatever is written, it is a limit within bounds, none, or INVALID_ARGUMENT', () => {
  const key = fc.oneof(fc.constantFrom('iops.read', 'iops.write', 'bps.read', 'bps.write'), fc.string());
  const value = fc.oneof(
    fc.string(),
    fc.nat().map(String),
    fc.nat(5000).map((n) => `${n}Mi`),
  );
  fc.assert(
    fc.property(fc.dictionary(key, value), (mutable) => {
      try {
        for (const limit of Object.values(parseIoLimits(mutable))) {
          expect(limit).toBeGreaterThanOrEqual(100n);
          expect(limit).toBeLessThanOrEqual(1n << 40n);
        }
      } catch (error) {
        expect(error).toMatchObject({ code: 'INVALID_ARGUMENT' });
      }
    }),
  );
});
