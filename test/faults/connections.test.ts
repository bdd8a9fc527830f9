// Connections between nodes while agents are killed: the data path is the kernel's, and an agent that starts leaves it alone.
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { ClusterNode } from '../../cluster/node.ts';
import { usePeers } from '../cluster/peers.ts';
import { podManifest, useScene } from '../cluster/scene.ts';
import { replaceAgents } from './agent.ts';
import { invariantsHold } from './invariantshold.ts';
import { knockAt, serve, streamTo } from './streams.ts';
import type { End } from './streams.ts';

const scene = useScene('connections');
usePeers();
const { cluster } = scene;
const nodes = cluster.nodes as readonly [ClusterNode, ClusterNode, ClusterNode];

async function end(node: ClusterNode): Promise<End> {
  return { node, pod: await scene.ready(`on-${node.name}`) };
}

beforeAll(async () => {
  await scene.apply(...nodes.map(({ name }) => podManifest(`on-${name}`, { node: name })));
});
afterAll(async () => {
  await scene.remove('pod', '--all');
});

test('streams and a thousand short connections, to a near and to a far node, do not notice ten deaths of every agent', async () => {
  const [one, near, far] = [await end(nodes[0]), await end(nodes[1]), await end(nodes[2])];
  const running: { finish(): Promise<void> }[] = [];
  for (const to of [near, far]) {
    const server = await serve(to);
    running.push(await streamTo(one, to, server), await knockAt(one, to, 1_000));
  }
  for (let death = 0; death < 10; death++) await replaceAgents(nodes);
  for (const each of running) await each.finish();
  await invariantsHold(cluster);
  expect.hasAssertions();
});
