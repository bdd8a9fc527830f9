import { expect, test } from 'vitest';
import { storageSchema } from './config.ts';

test('an empty section is a working one', () => {
  expect(storageSchema.parse({})).toEqual({
    driverName: 'csi.berth.dev',
    pools: [
      {
        name: 'default',
        engine: 'image',
        path: '/var/lib/berth/pools/default',
        overcommit: 1,
        thinWatermark: 85,
        trashRetention: 0,
      },
    ],
    ephemeral: { enabled: false, maxSize: 1n << 30n },
    central: false,
    health: 'condition',
    runDir: '/run/berth/storage',
    maxVolumes: 1024,
  });
});

test('a capacity is a quantity', () => {
  const { pools } = storageSchema.parse({ pools: [{ name: 'a', path: '/a', capacity: '10Gi' }] });
  expect(pools[0]?.capacity).toBe(10n << 30n);
});

test('a retention is a duration, in milliseconds', () => {
  const of = (trashRetention: unknown): unknown =>
    storageSchema.parse({ pools: [{ name: 'a', path: '/a', trashRetention }] }).pools[0]?.trashRetention;
  expect([of('24h'), of(0), of(undefined)]).toEqual([86_400_000, 0, 0]);
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
  [{ pools: [{ name: 'a', path: '/a', engine: 'tmpfs' }] }, /expected a capacity for a tmpfs pool/],
  [{ pools: [{ name: 'a', path: '/a', capacity: 0 }] }, /expected a size/],
  [{ pools: [{ name: 'a', path: '/a', trashRetention: 'long' }] }, /expected a duration/],
  [{ pools: [{ name: 'a', path: '/a', trashRetention: 24 }] }, /expected a duration/],
  [{ pools: [{ name: 'a', path: '/a', trashRetention: '99999d' }] }, /expected a duration/],
  [{ pools: [{ name: 'a', path: '/a', engine: 'tmpfs', trashRetention: '1h' }] }, /no trashRetention for a tmpfs/],
  [{ driverName: 'Berth' }, /domain-like/],
  [{ driverName: 'berth.1' }, /domain-like/],
  [{ maxVolumes: 0 }, />=1/],
  [{ health: 'good' }, /condition/],
])('%j is refused', (section, message) => {
  const { error } = storageSchema.safeParse(section);
  expect(error?.issues.map((issue) => issue.message).join()).toMatch(message);
});
