import { createHash } from 'node:crypto';
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { formatRecord, parseRecord, recordStore } from './store.ts';
import type { AnyRecord } from './store.ts';
import type { VolumeRecord } from './volume.ts';

let folder = '';
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'berth-store-'));
});
afterEach(async () => {
  await rm(folder, { recursive: true });
});

const record: VolumeRecord = {
  id: 'v1-0a1b2c3d-0123456789abcdefghjkmnpqrs',
  name: 'pvc-1 "quoted" \u2028',
  state: 'ready',
  bytes: 9_007_199_254_740_993n,
  use: { kind: 'filesystem', type: 'xfs', uuid: '0c7d0e3e-8f5a-4c0e-9d59-0a6f3d1b2c4d' },
  provisioning: 'thick',
  parameters: { pool: 'default' },
  mutable: {},
  family: 'v1-0a1b2c3d-0123456789abcdefghjkmnpqrs',
  createdAt: '2026-01-01T00:00:00.000Z',
};
const written: AnyRecord = { kind: 'volume', record };

const snapshotId = 's1-0a1b2c3d-0123456789abcdefghjkmnpqrs';
const groupId = 'g1-0a1b2c3d-0123456789abcdefghjkmnpqrs';
test.each<AnyRecord>([
  written,
  {
    kind: 'volume',
    record: { ...record, use: { kind: 'block' }, grownFrom: 4096n, ephemeral: '/k/pods/p/volumes/v/mount' },
  },
  { kind: 'volume', record: { ...record, claim: { namespace: 'default', name: 'data' } } },
  { kind: 'volume', record: { ...record, source: { kind: 'snapshot', id: snapshotId }, provisioning: 'thin' } },
  {
    kind: 'snapshot',
    record: {
      id: snapshotId,
      name: 's',
      state: 'creating',
      bytes: 1n,
      use: record.use,
      sourceId: record.id,
      family: record.id,
      reserved: true,
      groupId,
      createdAt: record.createdAt,
    },
  },
  {
    kind: 'group',
    record: {
      id: groupId,
      name: 'g',
      state: 'ready',
      sourceIds: [record.id],
      snapshotIds: [snapshotId],
      createdAt: record.createdAt,
    },
  },
])('a $kind comes back as it was written', (each) => {
  expect(parseRecord(formatRecord(each))).toEqual(each);
});

test('a volume of the first format is read as what it was', () => {
  const first = {
    id: record.id,
    name: 'pvc-1',
    state: 'ready',
    bytes: '67108864',
    use: { kind: 'block' },
    parameters: {},
    createdAt: '2026-01-01T00:00:00.000Z',
  };
  const checksum = createHash('sha256').update(JSON.stringify(first)).digest('hex').slice(0, 16);
  expect(parseRecord(JSON.stringify({ format: 1, checksum, volume: first }))).toEqual({
    kind: 'volume',
    record: { ...first, bytes: 67_108_864n, provisioning: 'thick', mutable: {}, family: record.id },
  });
});

test('a record cut at any byte, or with any byte changed, is not taken for one', () => {
  const bytes = Buffer.from(formatRecord(written));
  for (let length = 0; length < bytes.length - 1; length++) {
    expect(() => parseRecord(bytes.toString('utf8', 0, length))).toThrow();
  }
  for (let i = 0; i < bytes.length; i++) {
    const changed = Buffer.from(bytes);
    changed[i] = changed[i]! ^ 0x01;
    let parsed: AnyRecord | undefined;
    try {
      parsed = parseRecord(changed.toString());
    } catch {
      continue;
    }
    // Only blanks between the tokens can change without changing the record.
    expect(parsed).toEqual(written);
  }
});

test('a record of a later format is left alone', async () => {
  await writeFile(join(folder, `${record.id}.json`), formatRecord(written).replace('"format": 2', '"format": 3'));
  expect(await recordStore(folder, '0a1b2c3d').load()).toMatchObject({
    volumes: [],
    unreadable: [{ file: `${record.id}.json` }],
  });
  expect(await readdir(folder)).toEqual([`${record.id}.json`]);
});

test('what a killed write left is removed, unknown files are reported and kept', async () => {
  const store = recordStore(folder, '0a1b2c3d');
  await store.write(written);
  await writeFile(join(folder, `.tmp-${record.id}.json-00`), '{');
  await writeFile(join(folder, 'copy.json'), formatRecord(written));
  const loaded = await store.load();
  expect(loaded.volumes).toEqual([record]);
  expect(loaded.unreadable).toEqual([{ file: 'copy.json', reason: `it is the record of ${record.id}` }]);
  expect((await readdir(folder)).sort()).toEqual(['copy.json', `${record.id}.json`]);
  await store.remove(record.id);
  await store.remove(record.id);
  expect(await readdir(folder)).toEqual(['copy.json']);
});
