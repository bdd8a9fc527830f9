import fc from 'fast-check';
import { expect, test } from 'vitest';
import { limitsOf } from './limits.ts';

const key = { containerID: 'c', ifname: 'eth0' };
const nothing = { ingressRate: 0, ingressBurst: 0, egressRate: 0, egressBurst: 0 };
const pickIndex = (): number => 7;

test('what is asked in bits is a bucket in bytes, for the direction it was asked for', () => {
  expect(limitsOf(key, { ...nothing, ingressRate: 8_000_000, ingressBurst: 800_000 }, 1500, pickIndex)).toEqual({
    ingress: { rate: 1_000_000, burst: 100_000 },
  });
  expect(limitsOf(key, { ...nothing, egressRate: 8_000_000, egressBurst: 800_000 }, 1500, pickIndex)).toEqual({
    egress: { rate: 1_000_000, burst: 100_000, link: expect.stringMatching(/^ifb[0-9a-f]{11}$/) as string, index: 7 },
  });
  expect(limitsOf(key, undefined, 1500, pickIndex)).toBeUndefined();
});

test.each([
  ['a burst of containerd', 8_000_000, 2 ** 32 - 1, 50_000],
  ['a burst of CRI-O', 8_000_000, (2 ** 32 - 1) * 8 - 1, 50_000],
  ['such a burst at a low rate', 8_000, 2 ** 32 - 1, 15_000],
  ['a burst that no packet fits', 8_000_000, 8, 1_600],
])('%s becomes one that shapes', (_what, ingressRate, ingressBurst, burst) => {
  expect(limitsOf(key, { ...nothing, ingressRate, ingressBurst }, 1500, pickIndex)?.ingress?.burst).toBe(burst);
});

test('whatever is asked, a bucket has whole numbers that the kernel takes', () => {
  const bits = fc.maxSafeInteger().filter((value) => value > 0);
  fc.assert(
    fc.property(bits, bits, fc.integer({ min: 576, max: 65_535 }), (rate, burst, mtu) => {
      const bucket = limitsOf(key, { ...nothing, egressRate: rate, egressBurst: burst }, mtu, pickIndex)?.egress;
      expect(Number.isSafeInteger(bucket?.rate) && (bucket?.rate ?? 0) >= 1).toBe(true);
      expect(Number.isSafeInteger(bucket?.burst)).toBe(true);
      expect(bucket?.burst).toBeGreaterThan(mtu);
      expect(bucket?.burst).toBeLessThan(2 ** 32);
    }),
  );
});
