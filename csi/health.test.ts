import { describe, expect, test } from 'vitest';
import { healthReasons, poolHealth, volumeHealth } from './health.ts';
import type { PoolFacts, VolumeFacts } from './health.ts';

const GiB = 1n << 30n;
const pool: PoolFacts = { name: 'fast', readonly: false, errors: 0n, total: 100n * GiB, available: 10n * GiB };
const id = 'v1-00000000-00000000000000000000000000';
const uuid = '0c7d0e3e-8f5a-4c0e-9d59-0a6f3d1b2c4d';
const use = { kind: 'filesystem', type: 'ext4', uuid } as const;

/** A healthy volume that a pod writes to. */
const healthy: VolumeFacts = {
  volume: { id, bytes: GiB, use, provisioning: 'thick' },
  pool,
  volatile: false,
  bytes: GiB,
  staged: true,
  writable: true,
  attached: true,
  directIo: { on: true, possible: true },
  mounted: { options: ['rw'], answers: true, errors: 0n },
  faulty: false,
};
const idle: VolumeFacts = {
  ...healthy,
  staged: false,
  writable: false,
  attached: false,
  directIo: undefined,
  mounted: undefined,
};
const mounted = healthy.mounted!;

describe('a volume is', () => {
  const cases: [string, VolumeFacts, string[]][] = [
    ['healthy while a pod has it', healthy, []],
    ['healthy while nobody has it', idle, []],
    ['healthy while it grows', { ...healthy, volume: { ...healthy.volume, bytes: 2n * GiB, grownFrom: GiB } }, []],
    ['healthy in memory, before it is staged', { ...idle, volatile: true, bytes: undefined }, []],
    ['lost without its bytes', { ...idle, bytes: undefined }, ['data_loss ImageMissing']],
    ['lost when it was cut', { ...idle, bytes: GiB - 4096n }, ['data_loss ImageSizeMismatch']],
    ['cut below what it grew from', grown(GiB / 2n), ['data_loss ImageSizeMismatch']],
    ['too large', { ...idle, bytes: GiB + 4096n }, ['degraded ImageSizeMismatch']],
    [
      'inaccessible without its device',
      { ...healthy, attached: false, directIo: undefined, mounted: undefined },
      ['inaccessible LoopDetached'],
    ],
    ['slow through the page cache', { ...healthy, directIo: { on: false, possible: true } }, ['degraded DirectIOLost']],
    ['as good as its pool can', { ...healthy, directIo: { on: false, possible: false } }, []],
    ['read-only after an error', withMount({ options: ['ro'] }), ['degraded FilesystemReadOnly']],
    ['read-only in the new way', withMount({ options: ['rw', 'emergency_ro'] }), ['degraded FilesystemReadOnly']],
    ['read-only as it was asked for', { ...withMount({ options: ['ro'] }), writable: false }, []],
    ['shut down', withMount({ options: ['rw', 'shutdown'] }), ['inaccessible FilesystemShutDown']],
    ['shut down without a word', withMount({ answers: false }), ['inaccessible FilesystemShutDown']],
    ['counting errors', withMount({ errors: 3n }), ['degraded FsckNeeded']],
    ['damaged while nobody has it', { ...idle, faulty: true }, ['degraded FsckNeeded']],
    ['raw, whatever its bytes say', { ...idle, volume: { ...idle.volume, use: { kind: 'block' } }, faulty: true }, []],
    ['healthy in a full pool', { ...healthy, pool: { ...pool, available: 0n } }, []],
    [
      'out of room, when it is thin',
      {
        ...healthy,
        pool: { ...pool, available: 0n },
        volume: { ...healthy.volume, provisioning: 'thin' },
      },
      ['degraded PoolFull'],
    ],
    ['not to be written', { ...healthy, pool: { ...pool, readonly: true } }, ['degraded PoolReadOnly']],
    ['on a failing disk', { ...healthy, pool: { ...pool, errors: 2n } }, ['degraded BackingDeviceErrors']],
    [
      'somewhere else with its pool, which says nothing of its bytes',
      { ...healthy, pool: { ...pool, missing: 'no pool.json' }, bytes: undefined, attached: false },
      ['inaccessible PoolMissing'],
    ],
    [
      'all of it at once, worst first',
      { ...withMount({ options: ['ro'] }), bytes: 4096n, pool: { ...pool, errors: 1n } },
      ['data_loss ImageSizeMismatch', 'degraded FilesystemReadOnly', 'degraded BackingDeviceErrors'],
    ],
  ];
  test.each(cases)('%s', (_, facts, statuses) => {
    const found = volumeHealth(facts);
    expect(found.map(({ severity, reason }) => `${severity} ${reason}`)).toEqual(statuses);
    for (const { reason, message } of found) {
      expect(healthReasons).toContain(reason);
      expect(message).toMatch(reason.startsWith('Pool') || reason === 'BackingDeviceErrors' ? /pool "fast"/ : id);
      expect(message.length).toBeLessThan(512);
    }
  });

  test('every reason is shown above', () => {
    const shown = cases.flatMap(([, , statuses]) => statuses.map((status) => status.split(' ')[1]));
    expect(healthReasons.filter((reason) => !shown.includes(reason))).toEqual([]);
  });
});

function withMount(change: Partial<NonNullable<VolumeFacts['mounted']>>): VolumeFacts {
  return { ...healthy, mounted: { ...mounted, ...change } };
}

function grown(bytes: bigint): VolumeFacts {
  return { ...idle, volume: { ...idle.volume, bytes: 2n * GiB, grownFrom: GiB }, bytes };
}

test.each([
  [{}, []],
  [{ available: 1n }, ['PoolFull']],
  // What the ledger leaves free when all is promised: full of volumes, and well.
  [{ available: 1n * GiB }, []],
  [{ total: 1n * GiB, available: 16n << 20n }, []],
  [{ readonly: true, errors: 1n, available: 0n }, ['PoolReadOnly', 'BackingDeviceErrors', 'PoolFull']],
  [{ missing: 'gone', readonly: true }, ['PoolMissing']],
])('a pool with %o', (change, reasons) => {
  expect(poolHealth({ ...pool, ...change }).map(({ reason }) => reason)).toEqual(reasons);
});
