import { beforeEach, describe, expect, test } from 'vitest';
import { FakeNftables } from '../linux/nftables/fake.ts';
import type { NftCommand, NftSet } from '../linux/nftables/nftables.ts';
import { TableCare } from './tablecare.ts';
import { TableTurns } from './tableturns.ts';

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
let turns: TableTurns;
let owned: readonly NftSet[] = [];
let restored = 0;
let lists = 0;
let now = 0;
let care: TableCare;

function careWith(restore: () => Promise<void>): TableCare {
  return new TableCare({ nftables, turns, owned: () => owned, restore, now: () => now });
}

async function change(command: NftCommand): Promise<void> {
  await turns.take((own) => own(nftables, [command]));
}

beforeEach(async () => {
  nftables = new FakeNftables();
  turns = new TableTurns();
  owned = [];
  restored = 0;
  now = 0;
  await nftables.run([made]);
  const list = nftables.list.bind(nftables);
  nftables.list = (table) => {
    lists++;
    return list(table);
  };
  care = careWith(async () => {
    restored++;
    await change(made);
  });
  await care.mend();
  lists = 0;
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

const withPod = { op: 'add-elements', table: 'berth', set: 'ports', elements: ['10.1.0.3'] } satisfies NftCommand;

describe('what a living pod has in the table', () => {
  beforeEach(async () => {
    await change(withPod);
    owned = [{ name: 'ports', type: 'ipv4_addr', elements: ['10.1.0.3/32'] }];
  });

  test('is restored when somebody takes it', async () => {
    await nftables.run([{ ...withPod, op: 'delete-elements' }]);
    expect(await care.mend()).toBe(true);
  });

  test('is restored also when changes of our own come before and after', async () => {
    await change({ ...withPod, elements: ['10.1.0.4'] });
    await nftables.run([{ ...withPod, op: 'delete-elements' }]);
    await change({ ...withPod, elements: ['10.1.0.5'] });
    expect(await care.mend()).toBe(true);
  });

  test('is restored within a while when one of our changes was none', async () => {
    await change(withPod);
    await nftables.run([{ ...withPod, op: 'delete-elements' }]);
    expect(await care.mend()).toBe(false);
    now += 10_000;
    expect(await care.mend()).toBe(true);
  });
});

test('our own changes are not looked at, but for once in a while', async () => {
  for (let at = 4; at < 40; at++) {
    await change({ ...withPod, elements: [`10.1.0.${at}`] });
    expect(await care.mend()).toBe(false);
  }
  expect(lists).toBe(0);
  now += 10_000;
  await care.mend();
  await care.mend();
  expect(lists).toBe(1);
});

test('a table that is gone before the first look is restored', async () => {
  await nftables.run([{ op: 'delete-table', table: 'berth' }]);
  const late = careWith(() => change(made));
  expect(await late.mend()).toBe(true);
});

test('what cannot be restored is tried again at every look', async () => {
  let refusal: Error | undefined = new Error('EPERM');
  const refused = careWith(() => (refusal === undefined ? change(made) : Promise.reject(refusal)));
  await refused.mend();
  await nftables.run([{ op: 'delete-table', table: 'berth' }]);
  await expect(refused.mend()).rejects.toThrow('EPERM');
  await expect(refused.mend()).rejects.toThrow('EPERM');
  refusal = undefined;
  expect(await refused.mend()).toBe(true);
});
