import { expect, test } from 'vitest';
import type { SnapshotView, StoragePoolView, TrashView, VolumeView } from '../../csi/views.ts';
import { sizeText } from './cells.ts';
import { format } from './get.ts';

const now = Date.parse('2026-01-02T00:00:00Z');
const createdAt = '2026-01-01T00:00:00.000Z';
const id = 'v1-0a1b2c3d-0123456789abcdefghjkmnpqrs';
const Gi = 2 ** 30;

const volume: VolumeView = {
  id,
  name: 'pvc-1',
  claim: 'default/data',
  pool: 'fast',
  type: 'xfs',
  size: 10 * Gi,
  used: 1.55 * Gi,
  allocated: 10 * Gi,
  provisioning: 'thick',
  state: 'ready',
  reasons: [],
  staged: '/k/plugins/kubernetes.io/csi/a/globalmount',
  published: [{ path: '/k/pods/u/volumes/a/mount', readonly: false, pod: 'default/web-0' }],
  source: '',
  createdAt,
};

/** The cells of the lines of a table. */
function cells(text: string): string[] {
  return text.split('\n').map((line) => line.replace(/ {3,}/g, '|'));
}

test('volumes, with who has them', () => {
  const unused = {
    ...volume,
    claim: '',
    used: null,
    published: [],
    staged: '',
    source: 'snapshot s1-x',
    reasons: null,
  };
  const ill = { ...volume, published: [], reasons: ['ImageMissing'] };
  expect(cells(format('volumes', 'table', [volume, unused, ill], now))).toEqual([
    'ID|CLAIM|POOL|TYPE|SIZE|USED|PROVISIONING|STATE|HEALTH|PODS|SOURCE|AGE',
    `${id}|default/data|fast|xfs|10Gi|1.5Gi|thick|published|ok|default/web-0|<none>|24h`,
    `${id}|<none>|fast|xfs|10Gi|<none>|thick|ready|<unknown>|<none>|snapshot s1-x|24h`,
    `${id}|default/data|fast|xfs|10Gi|1.5Gi|thick|staged|ImageMissing|<none>|<none>|24h`,
    '',
  ]);
  const [heading, row] = cells(format('volumes', 'wide', [volume], now));
  expect(heading).toMatch(/\|AGE\|NAME\|ALLOCATED\|PUBLISHED$/);
  expect(row).toMatch(/\|24h\|pvc-1\|10Gi\|\/k\/pods\/u\/volumes\/a\/mount$/);
});

test('snapshots', () => {
  const snapshot: SnapshotView = {
    id: 's1-x',
    name: 'snapshot-1',
    pool: 'fast',
    source: id,
    claim: 'default/data',
    type: 'block',
    size: Gi,
    allocated: null,
    group: '',
    reserved: true,
    state: 'ready',
    createdAt,
  };
  expect(cells(format('snapshots', 'wide', [snapshot], now))).toEqual([
    'ID|SOURCE|CLAIM|POOL|TYPE|SIZE|RESERVED|GROUP|STATE|AGE|NAME|ALLOCATED',
    `s1-x|${id}|default/data|fast|block|1Gi|full|<none>|ready|24h|snapshot-1|<unknown>`,
    '',
  ]);
});

const pool: StoragePoolView = {
  kind: 'storage',
  name: 'fast',
  id: '0a1b2c3d',
  engine: 'image',
  path: '/pools/fast',
  size: 100 * Gi,
  free: 60 * Gi,
  reserved: 30 * Gi,
  available: 49 * Gi,
  trash: 0,
  volumes: 3,
  snapshots: 1,
  reason: '',
};

test('pools of storage beside those of addresses, each in a table of its own', () => {
  const addresses = { kind: 'addresses', range: '10.1.0.0/24', size: 253, used: 3, free: 250, cooling: 2 };
  const missing = { ...pool, size: null, free: null, reserved: null, available: null, trash: null, reason: 'no disk' };
  expect(cells(format('pools', 'table', [addresses, pool, missing], now))).toEqual([
    'RANGE|SIZE|USED|FREE|COOLING',
    '10.1.0.0/24|253|3|250|2',
    '',
    'POOL|ENGINE|SIZE|FREE|RESERVED|AVAILABLE|TRASH|VOLUMES|SNAPSHOTS|REASON',
    'fast|image|100Gi|60Gi|30Gi|49Gi|0|3|1|<none>',
    'fast|image|<unknown>|<unknown>|<unknown>|<unknown>|<unknown>|3|1|no disk',
    '',
  ]);
  expect(format('pools', 'table', [pool], now)).toMatch(/^POOL/);
  expect(format('pools', 'wide', [pool], now)).toContain('0a1b2c3d   /pools/fast');
});

test('trash, with the time that is left, and what cannot be read', () => {
  const trashed: TrashView = {
    id,
    kind: 'volume',
    name: 'pvc-1',
    claim: 'default/data',
    pool: 'fast',
    type: 'xfs',
    size: Gi,
    deletedAt: '2026-01-01T22:00:00.000Z',
    expiresAt: '2026-01-02T22:00:00.000Z',
    reason: '',
  };
  const unknown = { name: '', claim: '', type: '', size: 0, deletedAt: '', expiresAt: '' } as const;
  const unreadable: TrashView = { ...trashed, ...unknown, kind: 'unreadable', reason: 'it is cut, or no record' };
  expect(cells(format('trash', 'table', [trashed, unreadable], now))).toEqual([
    'ID|KIND|CLAIM|POOL|TYPE|SIZE|DELETED|LEFT|REASON',
    `${id}|volume|default/data|fast|xfs|1Gi|2h ago|22h|<none>`,
    `${id}|unreadable|<none>|fast|<none>|<none>|<none>|<none>|it is cut, or no record`,
    '',
  ]);
  expect(format('trash', 'table', [], now)).toBe('The trash is empty.\n');
});

test('what somebody called a claim cannot steer a terminal, and JSON has it as it is', () => {
  const evil = '\u001b]0;x\u0007\u009b2J\n\u202e';
  const item = { ...volume, name: evil, claim: evil, pool: evil };
  expect(format('volumes', 'wide', [item], now)).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u2028-\u202e]/);
  expect(format('volumes', 'wide', [item], now).split('\n')).toHaveLength(3);
  expect(JSON.parse(format('volumes', 'json', [item], now))).toEqual({ items: [item] });
});

test.each([
  [null, '<unknown>'],
  [0, '0'],
  [1023, '1023'],
  [1024, '1Ki'],
  [1.5 * Gi, '1.5Gi'],
  [Gi - 1, '1023.9Mi'],
  [2 ** 62, '4096Pi'],
])('%s bytes are written %s', (bytes, text) => {
  expect(sizeText(bytes)).toBe(text);
});
