import { beforeEach, expect, test } from 'vitest';
import { FakeNftables } from '../linux/nftables/fake.ts';
import type { NftCommand } from '../linux/nftables/nftables.ts';
import { TableCare } from './tablecare.ts';

const made = {
  op: 'replace-table',
  table: {
    name: 'berth',
    sets: [
      { name: 'pods', type: 'ipv4_addr', elements: ['10.1.0.0/24'] },
      { name: 'ports', type: 'ipv4_addr', elements: ['10.1.0.2'] },
    ],
    chains: [{ name: 'out', type: 'nat', hook: 'postrouting', priority: 100, rules: ['masquerade'] }],
  },
} satisfies NftCommand;
const other: NftCommand = { op: 'replace-table', table: { name: 'other', sets: [], chains: [] } };

let nftables: FakeNftables;
let restored = 0;
let care: TableCare;
beforeEach(async () => {
  nftables = new FakeNftables();
  restored = 0;
  await nftables.run([made]);
  care = new TableCare(nftables, async () => {
    restored++;
    await nftables.run([made]);
  });
  await care.mend();
});

function without(part: 'sets' | 'chains' | 'rules' | 'elements'): NftCommand {
  const { name, sets, chains } = made.table;
  return {
    op: 'replace-table',
    table: {
      name,
      sets: part === 'sets' ? [] : sets.map((set) => (part === 'elements' ? { ...set, elements: [] } : set)),
      chains: part === 'chains' ? [] : chains.map((chain) => (part === 'rules' ? { ...chain, rules: [] } : chain)),
    },
  };
}

test.each<[string, NftCommand]>([
  ['the table', { op: 'delete-table', table: 'berth' }],
  ['a chain', without('chains')],
  ["a chain's rules", without('rules')],
  ['a set', without('sets')],
  ["a set's elements", without('elements')],
])('%s that somebody took away is restored once', async (_what, taking) => {
  await nftables.run([taking]);
  expect(await care.mend()).toBe(true);
  expect((await nftables.list('berth'))?.sets.get('pods')).toEqual(['10.1.0.0/24']);
  expect(await care.mend()).toBe(false);
  expect(restored).toBe(1);
});

test.each<[string, NftCommand]>([
  ["somebody's own table", other],
  ['an element that comes with a pod', { op: 'add-elements', table: 'berth', set: 'ports', elements: ['10.1.0.3'] }],
  ['an element that goes with a pod', { op: 'delete-elements', table: 'berth', set: 'ports', elements: ['10.1.0.2'] }],
])('%s is no reason to touch the table', async (_what, change) => {
  await nftables.run([change]);
  expect(await care.mend()).toBe(false);
  expect(restored).toBe(0);
});

test('a table that is gone before the first look is restored', async () => {
  await nftables.run([{ op: 'delete-table', table: 'berth' }]);
  const late = new TableCare(nftables, () => nftables.run([made]));
  expect(await late.mend()).toBe(true);
});

test('what cannot be restored is tried again at every look', async () => {
  let refusal: Error | undefined = new Error('EPERM');
  const refused = new TableCare(nftables, () =>
    refusal === undefined ? nftables.run([made]) : Promise.reject(refusal),
  );
  await refused.mend();
  await nftables.run([{ op: 'delete-table', table: 'berth' }]);
  await expect(refused.mend()).rejects.toThrow('EPERM');
  await expect(refused.mend()).rejects.toThrow('EPERM');
  refusal = undefined;
  expect(await refused.mend()).toBe(true);
});
