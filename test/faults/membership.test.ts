// A machine joins the running cluster and another day it is gone: its pods are reached soon, and then nothing leads to it.
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { ClusterNode } from '../../cluster/node.ts';
import { waitForAgents } from '../../scripts/deploy.ts';
import { kubectl } from '../../scripts/kubectl.ts';
import type { Pod } from '../../scripts/kubectl.ts';
import { eventually, podManifest, useScene } from '../cluster/scene.ts';
import { agentReady } from './agent.ts';
import { invariantsHold } from './invariantshold.ts';

const scene = useScene('membership');
const { cluster } = scene;
const [one, near, far] = cluster.nodes as readonly [ClusterNode, ClusterNode, ClusterNode];
let added: ClusterNode | undefined;

function rangesOf(node: string): Promise<readonly string[]> {
  const path = 'jsonpath={.spec.podCIDRs[*]}';
  return kubectl(cluster, ['get', 'node', node, '-o', path]).then((text) => text.split(' '));
}

async function routes(node: ClusterNode): Promise<string> {
  return (await node.exec(['sh', '-c', 'ip -4 route show proto 98; ip -6 route show proto 98'])).stdout;
}

async function reaches(from: string, to: Pod): Promise<void> {
  for (const { ip } of to.status.podIPs ?? [])
    await eventually(`pod ${from} to reach ${ip}`, 60, async () => {
      const { text } = await scene.inside(from, `ping -c 1 -W 2 ${ip}`);
      return text.includes('1 packets received') ? true : undefined;
    });
}

async function remove(node: ClusterNode): Promise<void> {
  await cluster.removeNode(node.name);
  await kubectl(cluster, ['delete', 'node', node.name]);
  added = undefined;
}

beforeAll(async () => {
  await scene.apply(...[one, near, far].map(({ name }) => podManifest(`on-${name}`, { node: name })));
});
// The other tests count on the nodes there were.
afterAll(async () => {
  if (added !== undefined) await remove(added);
  await kubectl(cluster, ['delete', 'pod', '-n', scene.namespace, '--all', '--force', '--grace-period=0']);
});

test.each([
  ['on the link of the others', false],
  ['behind the router', true],
])(
  'a node that joins %s is reached from every other in both families; when it is gone no way leads to it',
  async (_where, behind) => {
    const others = [one, near, far];
    for (const { name } of others) await scene.ready(`on-${name}`);
    const before = await Promise.all(others.map(routes));

    const node = await cluster.addNode({ far: behind });
    added = node;
    await waitForAgents(cluster);
    await agentReady(node);
    const ranges = await rangesOf(node.name);
    expect(ranges).toHaveLength(2);
    const name = `on-${node.name}`;
    await scene.apply(podManifest(name, { node: node.name }));
    const pod = await scene.ready(name);
    for (const other of others) {
      await reaches(`on-${other.name}`, pod);
      await reaches(name, await scene.pod(`on-${other.name}`));
    }
    await invariantsHold(cluster);

    await remove(node);
    await eventually('the others to have the routes they had', 60, async () => {
      const now = await Promise.all(others.map(routes));
      return now.every((text, at) => text === before[at]) ? true : undefined;
    });
    await kubectl(cluster, [
      'delete',
      'pod',
      '-n',
      scene.namespace,
      name,
      '--force',
      '--grace-period=0',
      '--ignore-not-found',
    ]);
    await invariantsHold(cluster);
  },
);
