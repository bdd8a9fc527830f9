import { pino } from 'pino';
import { expect, test } from 'vitest';
import type { ApiObject } from '../kubernetes/transport.ts';
import { StartupTaint } from './startuptaint.ts';

const { signal } = new AbortController();
const mine = { key: 'berth.dev/agent-not-ready', effect: 'NoExecute' };
const other = { key: 'example.com/maintenance', effect: 'NoSchedule', value: 'x' };

/** A Node whose taints somebody else may change between a read and a write. */
class Node {
  taints: object[] | undefined;
  between: () => void = () => undefined;
  reads = 0;
  constructor(...taints: object[]) {
    this.taints = taints.length === 0 ? undefined : taints;
  }
  get(): Promise<ApiObject> {
    this.reads++;
    return Promise.resolve({ spec: { taints: structuredClone(this.taints) } });
  }
  operate(_: string, operations: readonly object[]): Promise<ApiObject> {
    this.between();
    this.between = () => undefined;
    const [before, after] = operations as readonly { value: object[] }[];
    if (JSON.stringify(before?.value) !== JSON.stringify(this.taints))
      return Promise.reject(new Error('the test of a JSON patch failed'));
    this.taints = after?.value;
    return Promise.resolve({});
  }
}

const taintOf = (node: Node, recheckMs?: number): StartupTaint =>
  new StartupTaint({ client: node, nodeName: 'a', key: mine.key, log: pino({ level: 'silent' }) }, recheckMs);

test.each([
  ['alone', [mine], []],
  ['with others', [other, mine, { ...mine, effect: 'NoSchedule' }], [other]],
  ['not there', [other], [other]],
])('the taint %s is taken off, and nothing else', async (_, before, after) => {
  const node = new Node(...before);
  await taintOf(node).remove(signal);
  expect(node.taints).toEqual(after);
});

test('a taint that somebody adds meanwhile is not lost', async () => {
  const node = new Node(mine);
  node.between = () => node.taints?.push(other);
  const taint = taintOf(node);
  await taint.remove(signal);
  expect(node.taints).toEqual([mine, other]);
  await taint.remove(signal);
  expect(node.taints).toEqual([other]);
});

test('a Node without it is not read at every look, and one registered anew is found', async () => {
  const node = new Node();
  const taint = taintOf(node);
  for (let times = 0; times < 10; times++) await taint.remove(signal);
  expect(node.reads).toBe(1);
  node.taints = [mine];
  await taintOf(node, 0).remove(signal);
  expect(node.taints).toEqual([]);
});
