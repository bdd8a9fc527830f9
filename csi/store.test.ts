import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { formatRecord, parseRecord, volumeStore } from './store.ts';
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
  parameters: { pool: 'default' },
  createdAt: '2026-01-01T00:00:00.000Z',
};

test.each([record, { ...record, use: { kind: 'block' } } as const])('a record comes back as it was written', (each) => {
  expect(parseRecord(formatRecord(each))).toEqual(each);
});

test('a record cut at any byte, or with any byte changed, is not taken for one', () => {
  const bytes = Buffer.from(formatRecord(record));
  for (let length = 0; length < bytes.length - 1; length++) {
    expect(() => parseRecord(bytes.toString('utf8', 0, length))).toThrow();
  }
  for (let i = 0; i < bytes.length; i++) {
    const changed = Buffer.from(bytes);
    changed[i] = changed[i]! ^ 0x01;
    let parsed: VolumeRecord | undefined;
    try {
      parsed = parseRecord(changed.toString());
    } catch {
      continue;
    }
    // Only blanks between the tokens can change without changing the record.
    expect(parsed).toEqual(record);
  }
});

test('a record of a later format is left alone', async () => {
  await writeFile(join(folder, `${record.id}.json`), formatRecord(record).replace('"format": 1', '"format": 2'));
  expect(await volumeStore(folder).load()).toMatchObject({ records: [], unreadable: [{ file: `${record.id}.json` }] });
  expect(await readdir(folder)).toEqual([`${record.id}.json`]);
});

test('what a killed write left is removed, unknown files are reported and kept', async () => {
  const store = volumeStore(folder);
  await store.write(record);
  await writeFile(join(folder, `.tmp-${record.id}.json-00`), '{');
  await writeFile(join(folder, 'copy.json'), formatRecord(record));
  const loaded = await store.load();
  expect(loaded.records).toEqual([record]);
  expect(loaded.unreadable).toEqual([{ file: 'copy.json', reason: `it is the record of ${record.id}` }]);
  expect((await readdir(folder)).sort()).toEqual(['copy.json', `${record.id}.json`]);
  await store.remove(record.id);
  await store.remove(record.id);
  expect(await readdir(folder)).toEqual(['copy.json']);
});
