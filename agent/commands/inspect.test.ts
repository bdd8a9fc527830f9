import { expect, test } from 'vitest';
import type { InspectedSnapshot, InspectedVolume } from '../../csi/objectinspection.ts';
import { describe } from './inspect.ts';

const now = Date.parse('2026-01-02T00:00:00Z');
const createdAt = '2026-01-01T00:00:00.000Z';
const id = 'v1-0a1b2c3d-0123456789abcdefghjkmnpqrs';
const Gi = 2 ** 30;

const common = {
  id,
  name: 'pvc-1',
  claim: 'default/data',
  pool: 'fast',
  poolId: '0a1b2c3d',
  engine: 'image',
  node: 'worker-1',
  poolPath: '/pools/fast',
  type: 'xfs',
  uuid: '0c7d0e3e-8f5a-4c0e-9d59-0a6f3d1b2c4d',
  family: id,
  size: 10 * Gi,
  allocated: 10 * Gi,
  state: 'ready',
  file: { path: `images/${id}.img`, size: 10 * Gi, allocated: 10 * Gi },
  createdAt,
  deletedAt: '',
  expiresAt: '',
  problems: [],
} as const;
const volume: InspectedVolume = {
  ...common,
  kind: 'volume',
  used: Gi,
  reasons: [],
  provisioning: 'thick',
  staged: '/k/globalmount',
  published: [
    { path: '/k/pods/u/a/mount', readonly: false, pod: 'default/web-0' },
    { path: '/k/pods/w/a/mount', readonly: true, pod: '' },
  ],
  source: 'snapshot s1-x',
  parameters: { pool: 'fast' },
  limits: { 'iops.read': '100' },
  ephemeral: false,
  grownFrom: null,
  attached: true,
  health: [],
  device: { name: 'loop3', number: '7:3', directIo: true },
  filesystem: {
    bytes: { total: 10 * Gi, used: Gi, available: 9 * Gi },
    inodes: { total: 1000, used: 10, available: 990 },
  },
  snapshots: ['s1-y', 's1-z'],
};

test('a volume is told of in words', () => {
  expect(describe(volume, { wide: false, now })).toBe(
    [
      `Volume ${id}`,
      '  Claim:       default/data',
      '  Name:        pvc-1',
      '  Pool:        fast (image)',
      '  Type:        xfs',
      '  State:       ready',
      '  Created:     2026-01-01T00:00:00.000Z (24h ago)',
      '  Size:        10Gi thick',
      '  Source:      snapshot s1-x',
      '  Parameters:  pool=fast',
      '  Limits:      iops.read=100',
      '  Snapshots:   s1-y',
      '               s1-z',
      '  Staged:      /k/globalmount',
      '  Published:   /k/pods/u/a/mount, pod default/web-0',
      '               /k/pods/w/a/mount (read-only)',
      '  Device:      /dev/loop3 (7:3), direct I/O',
      '  Used:        1Gi of 10Gi',
      '               10 of 1000 inodes',
      `  File:        images/${id}.img`,
      '               10Gi long, 10Gi on disk',
      '',
    ].join('\n'),
  );
  const wide = describe(volume, { wide: true, now });
  for (const more of ['/pools/fast', 'node worker-1', 'UUID 0c7d0e3e', `Family:      ${id}`])
    expect(wide).toContain(more);
});

test('what is wrong with it stands there', () => {
  const text = describe(
    {
      ...volume,
      file: null,
      health: [{ severity: 'data_loss', reason: 'ImageMissing', message: 'the bytes are gone' }],
      problems: ['its use: EIO'],
      grownFrom: 5 * Gi,
      device: { name: 'loop3', number: '7:3', directIo: false },
    },
    { wide: false, now },
  );
  for (const part of [
    'Health: +ImageMissing: the bytes are gone',
    'Problems: +its use: EIO',
    'growing from 5Gi',
    'through the page cache',
  ])
    expect(text).toMatch(new RegExp(part));
  expect(text).toMatch(/File: +missing\n/);
});

test('a snapshot in the trash says until when', () => {
  const snapshot: InspectedSnapshot = {
    ...common,
    kind: 'snapshot',
    type: 'block',
    uuid: '',
    source: id,
    group: 'g1-x',
    reserved: true,
    file: null,
    deletedAt: '2026-01-01T23:00:00.000Z',
    expiresAt: '2026-01-02T23:00:00.000Z',
  };
  const text = describe(snapshot, { wide: false, now });
  for (const part of [
    'Snapshot v1-',
    'Type: +raw block',
    'State: +in the trash',
    'Deleted: +2026-01-01T23:00:00.000Z \\(60m ago\\)',
    'Kept until: +2026-01-02T23:00:00.000Z',
    'Size: +10Gi, space reserved for all of it',
    'Source: +volume v1-',
    'Group: +g1-x',
  ])
    expect(text).toMatch(new RegExp(part));
});

test('no name steers the terminal', () => {
  const evil = '\u001b[2J\u009b\n\u202e';
  const text = describe(
    { ...volume, name: evil, claim: evil, parameters: { [evil]: evil }, problems: [evil] },
    { wide: true, now },
  );
  expect(text).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u2028-\u202e]/);
});
