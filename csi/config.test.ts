import { expect, test } from 'vitest';
import { storageSchema } from './config.ts';

test('an empty section is a working one', () => {
  expect(storageSchema.parse({})).toEqual({
    driverName: 'csi.berth.dev',
    pools: [
      { name: 'default', engine: 'image', path: '/var/lib/berth/pools/default', overcommit: 1, thinWatermark: 85 },
    ],
    ephemeral: { enabled: false, maxSize: 1n << 30n },
    central: false,
    runDir: '/run/berth/storage',
    maxVolumes: 1024,
  });
});

test('a capacity is a quantity', () => {
  const { pools } = storageSchema.parse({ pools: [{ name: 'a', path: '/a', capacity: '10Gi' }] });
  expect(pools[0]?.capacity).toBe(10n << 30n);
});

test.each([
  [{ pool: [] }, /Unrecognized key: "pool"/],
  [{ pools: [] }, /expected a pool/],
  [
    {
      pools: [
        { name: 'a', path: '/a' },
        { name: 'a', path: '/b' },
      ],
    },
    /different names/,
  ],
  [
    {
      pools: [
        { name: 'a', path: '/a' },
        { name: 'b', path: '/a' },
      ],
    },
    /different paths/,
  ],
  [{ pools: [{ name: 'A', path: '/a' }] }, /lower-case/],
  [{ pools: [{ name: 'a', path: 'a' }] }, /absolute path/],
  [{ pools: [{ name: 'a', path: '/' }] }, /absolute path/],
  [{ pools: [{ name: 'a', path: '/a/../b' }] }, /absolute path/],
  [{ pools: [{ name: 'a', path: '/a', capacity: 'much' }] }, /expected a size/],
  [{ pools: [{ name: 'a', path: '/a', capacity: 0 }] }, /expected a size/],
  [{ driverName: 'Berth' }, /domain-like/],
  [{ driverName: 'berth.1' }, /domain-like/],
  [{ maxVolumes: 0 }, />=1/],
])('%j is refused', (section, message) => {
  const { error } = storageSchema.safeParse(section);
  expect(error?.issues.map((issue) => issue.message).join()).toMatch(message);
});
