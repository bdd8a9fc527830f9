// Records of earlier agents: the pods of then live on under the agent of today, and their DEL leaves nothing.
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { everything, expectReachable, traces } from './cni/everything.ts';
import type { TestNode } from './cni/node.ts';
import { addressesOf } from './cni/node.ts';
import { useNodes } from './cni/scene.ts';

const { start } = useNodes();

/** Writes the one record of a node as an agent did that knew less: without checksum and without these members. */
function makeOlder(node: TestNode, format: number, unknown: readonly string[]): void {
  const [name = ''] = node.records();
  const file = join(node.config.runDir, 'attachments', name);
  const content = Object.entries(JSON.parse(readFileSync(file, 'utf8')) as Record<string, unknown>);
  const kept = content.filter(([key]) => key !== 'checksum' && !unknown.includes(key));
  writeFileSync(file, JSON.stringify({ ...Object.fromEntries(kept), format }));
}

test.each<[string, number, readonly string[], string[], Record<string, unknown>]>([
  ['the first, of IPv4 alone', 1, ['ports', 'limits'], ['10.244.7.0/30'], {}],
  ['the second, with both families', 2, ['limits'], ['10.244.7.0/30', 'fd00:7::/126'], {}],
  ['the third, with ports and limits', 3, [], ['10.244.7.0/30', 'fd00:7::/126'], everything],
])(
  'a pod of %s format keeps its connections and what it has, CHECK is well, and DEL leaves nothing',
  async (_which, format, unknown, ranges, config) => {
    const node = await start(ranges);
    node.addNamespace('one');
    const answer = await node.add('one', config);
    const [four = ''] = addressesOf(answer);
    await node.serve('one');
    const held = await node.hold('node', four);
    await node.stopAgent('SIGKILL');
    makeOlder(node, format, unknown);
    await node.startAgent();
    held.process.stdin?.write('still there?\n');
    expect(await held.line()).toBe(node.nodeAddress);
    const prevResult = JSON.parse(answer.stdout) as unknown;
    expect(await node.cni('CHECK', node.variables('one'), { prevResult })).toEqual({ exit: 0, stdout: '' });
    node.addNamespace('two');
    expect((await node.add('two')).stdout).toContain('no free address');
    expect(await node.del('one')).toEqual({ exit: 0, stdout: '' });
    expect(traces(node)).toEqual([]);
    const second = await node.add('two', everything);
    expect(addressesOf(second)).toEqual(addressesOf(answer));
    if (ranges.length === 2) await expectReachable(node, 'two', second);
  },
);
