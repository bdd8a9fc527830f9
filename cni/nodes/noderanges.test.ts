import { expect, test } from 'vitest';
import { FakeNftables } from '../../linux/nftables/fake.ts';
import { planTable, tableName } from '../datapath.ts';
import { TableTurns } from '../tableturns.ts';
import { NodeRanges } from './noderanges.ts';

async function table(nodes: readonly string[] = []): Promise<{ nftables: FakeNftables; ranges: NodeRanges }> {
  const nftables = new FakeNftables();
  const make = async (current: readonly string[]): Promise<void> => {
    const input = { pods: ['10.1.0.0/24'], masquerade: true, direct: [], uplinks6: [], nodes: current };
    await nftables.run([{ op: 'replace-table', table: planTable(input) }]);
  };
  await make(nodes);
  const ranges: NodeRanges = new NodeRanges(nftables, new TableTurns(), () => make(ranges.current));
  return { nftables, ranges };
}

async function sets(nftables: FakeNftables): Promise<readonly unknown[]> {
  const state = await nftables.list(tableName);
  return [state?.sets.get('nodes'), state?.sets.get('nodes6')];
}

test('ranges of both families come and go', async () => {
  const { nftables, ranges } = await table();
  await ranges.set(['10.1.1.0/24', 'fd00:1::/64']);
  expect(await sets(nftables)).toEqual([['10.1.1.0/24'], ['fd00:1::/64']]);
  await ranges.set(['10.1.0.0/16', 'fd00:2::/64']);
  expect(await sets(nftables)).toEqual([['10.1.0.0/16'], ['fd00:2::/64']]);
});

test('a new agent goes on with what the kernel has', async () => {
  const { nftables, ranges } = await table(['10.1.1.0/24', 'fd00:1::/64']);
  await ranges.load();
  expect(ranges.current).toEqual(['10.1.1.0/24', 'fd00:1::/64']);
  await ranges.set(['10.1.1.0/24']);
  expect(await sets(nftables)).toEqual([['10.1.1.0/24'], []]);
});

test('a table that somebody removed is made anew with the ranges', async () => {
  const { nftables, ranges } = await table();
  await nftables.run([{ op: 'delete-table', table: tableName }]);
  await ranges.set(['10.1.1.0/24']);
  expect(await sets(nftables)).toEqual([['10.1.1.0/24'], []]);
});
