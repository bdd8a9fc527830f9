// What `kubectl get berthnodes` tells of each node, who may write it, and how a new node keeps pods away until it can serve them.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { berthNamespace } from '../../scripts/deploy.ts';
import { kubectl } from '../../scripts/kubectl.ts';
import { agentReady, killAgent } from '../faults/agent.ts';
import { claimManifest, eventually, podManifest, useScene } from './scene.ts';
import { stealToken } from './thief.ts';
import type { Thief } from './thief.ts';

const scene = useScene('berthnode');
const { cluster } = scene;
const [first, second] = cluster.nodes;
if (first === undefined || second === undefined) throw new Error('these tests need two nodes');

interface BerthNode {
  readonly metadata: {
    readonly resourceVersion: string;
    readonly ownerReferences?: readonly { readonly kind: string; readonly name: string; readonly uid: string }[];
  };
  readonly status?: {
    readonly version: string;
    readonly conditions: readonly { readonly type: string; readonly status: string; readonly message: string }[];
    readonly network: { readonly attachments: number; readonly routes: { readonly none: number } };
    readonly devices: { readonly resources: readonly { readonly name: string; readonly used: number }[] };
    readonly storage: { readonly volumes: number; readonly pools: readonly { readonly name: string }[] };
  };
}

async function berthNode(name: string): Promise<BerthNode> {
  return JSON.parse(await kubectl(cluster, ['get', 'berthnode', name, '-o', 'json'])) as BerthNode;
}

async function isReady(name: string): Promise<BerthNode | undefined> {
  const node = await berthNode(name);
  return node.status?.conditions.find(({ type }) => type === 'Ready')?.status === 'True' ? node : undefined;
}

test('every node has one, which belongs to it and says that all is well', async () => {
  for (const { name } of cluster.nodes) {
    const { metadata, status } = await eventually(`${name} to be well`, 60, () => isReady(name));
    const uid = await kubectl(cluster, ['get', 'node', name, '-o', 'jsonpath={.metadata.uid}']);
    expect(metadata.ownerReferences).toMatchObject([{ kind: 'Node', name, uid }]);
    expect(status?.conditions.map(({ type }) => type)).toEqual([
      'Ready',
      'NetworkReady',
      'DevicesReady',
      'StorageReady',
    ]);
    expect(status?.network.routes.none).toBe(0);
    expect(status?.storage.pools.map((pool) => pool.name)).toContain('default');
  }
  const table = await kubectl(cluster, ['get', 'berthnodes']);
  const [head = '', ...rows] = table.trim().split('\n');
  expect(head).toMatch(/^NAME +READY +REASON +PODS +DEVICES +VOLUMES +AVAILABLE +DOCTOR +AGE$/);
  expect(rows).toHaveLength(cluster.nodes.length);
  for (const row of rows) expect(row).toMatch(/^\S+ +True +Serving +\d+ +\d+\/\d+ +\d+ +\d+Mi +(well|\d.*) +\S+$/);
});

test('it is not written again while nothing happens', async () => {
  const version = async (): Promise<string> => (await berthNode(second.name)).metadata.resourceVersion;
  // What was made before is still being taken away for a while: space that comes back is told.
  await eventually(`the BerthNode of ${second.name} to stay as it is`, 180, async () => {
    const before = await version();
    // The agent looks every five seconds; that nothing comes of it cannot be waited for.
    await new Promise((resolve) => setTimeout(resolve, 11_000));
    return (await version()) === before ? true : undefined;
  });
});

test('what somebody wrote into it is gone when the agent has started anew, and what pods have is told', async () => {
  const pod = podManifest('all', { node: second.name, limits: { 'berth.dev/fuse': 1 }, claims: { '/data': 'data' } });
  await scene.apply(claimManifest('data', 'berth-ext4', '64Mi'), pod);
  await scene.ready('all');
  const lie = { status: { version: 'better', storage: null } };
  const patch = ['--subresource=status', '--type=merge', '--patch', JSON.stringify(lie)];
  await kubectl(cluster, ['patch', 'berthnode', second.name, ...patch]);
  expect((await berthNode(second.name)).status?.version).toBe('better');
  const disowned = JSON.stringify({ metadata: { ownerReferences: null } });
  await kubectl(cluster, ['patch', 'berthnode', second.name, '--type=merge', '--patch', disowned]);
  await agentReady(second, await killAgent(second));
  await eventually('the BerthNode to be true again', 90, async () => {
    const { status, metadata } = await berthNode(second.name);
    const fuse = status?.devices.resources.find(({ name }) => name === 'berth.dev/fuse');
    const isTrue = status?.version !== 'better' && status?.network.attachments !== 0 && fuse?.used === 1;
    const isOwned = metadata.ownerReferences?.[0]?.name === second.name;
    return isTrue && isOwned && (status?.storage.volumes ?? 0) > 0 ? true : undefined;
  });
});

test.each([
  ['more addresses in use than there are', '/status/network/ranges/0/used', 1_000_000, 'more addresses are used'],
  ['a condition that is neither', '/status/conditions/0/status', 'Maybe', 'Unsupported value: "Maybe"'],
])('%s are refused by the API server', async (_, path, value, sentence) => {
  const patch = ['--subresource=status', '--type=json', '--patch', JSON.stringify([{ op: 'add', path, value }])];
  const { code, stderr } = await cluster.kubectl(['patch', 'berthnode', second.name, ...patch]);
  expect([code, stderr]).toEqual([1, expect.stringContaining(sentence)]);
});

describe('with the token of an agent', () => {
  let thief: Thief;
  beforeAll(async () => {
    thief = await stealToken(cluster, first.name);
    // Also where a startup taint is used, which needs more than the rules of this cluster give.
    const rules = ['--verb=patch', '--resource=nodes'];
    await kubectl(cluster, ['create', 'clusterrole', 'berth-startup-taint', ...rules]);
    const of = ['--clusterrole=berth-startup-taint', `--serviceaccount=${berthNamespace}:berth`];
    await kubectl(cluster, ['create', 'clusterrolebinding', 'berth-startup-taint', ...of]);
  });
  afterAll(async () => {
    thief.forget();
    await kubectl(cluster, ['delete', 'clusterrolebinding,clusterrole', 'berth-startup-taint']);
    await kubectl(cluster, ['taint', 'node', '--all', 'berth.dev/agent-not-ready-', 'example.com/mine-'], {}).catch(
      () => '',
    );
  });

  const owner = { apiVersion: 'v1', kind: 'Node', name: second.name, uid: '1' };
  test.each([
    [
      'the BerthNode of another node',
      ['berthnode', second.name],
      { metadata: { labels: { a: 'b' } } },
      /only the BerthNode of its own node/,
    ],
    ['another owner', ['berthnode', first.name], { metadata: { ownerReferences: [owner] } }, /belongs to its own Node/],
    ['a finalizer', ['berthnode', first.name], { metadata: { finalizers: ['a.b/c'] } }, /belongs to its own Node/],
    ['a label of its Node', ['node', first.name], { metadata: { labels: { a: 'b' } } }, /nothing of a Node but/],
    ['its Node as unschedulable', ['node', first.name], { spec: { unschedulable: true } }, /nothing of a Node but/],
    [
      'a taint',
      ['node', first.name],
      { spec: { taints: [{ key: 'berth.dev/x', effect: 'NoExecute' }] } },
      /puts none on/,
    ],
    ['a taint of another node', ['node', second.name], { spec: { taints: [] } }, /only about its own node/],
  ])('%s cannot be written', async (_, what, patch, sentence) => {
    const { code, stderr } = await thief.patch(what, patch);
    expect(stderr).toMatch(sentence);
    expect(code).toBe(1);
  });

  test('a taint of somebody else cannot be taken off, and Berth’s can', async () => {
    const taints = ['example.com/mine=:PreferNoSchedule', 'berth.dev/agent-not-ready=:PreferNoSchedule'];
    await kubectl(cluster, ['taint', 'node', first.name, ...taints]);
    const mine = { key: 'example.com/mine', effect: 'PreferNoSchedule' };
    const refused = await thief.patch(['node', first.name], { spec: { taints: [] } });
    expect([refused.code, refused.stderr]).toEqual([1, expect.stringContaining('takes no taint off but')]);
    expect(await thief.patch(['node', first.name], { spec: { taints: [mine] } })).toMatchObject({ code: 0 });
    await kubectl(cluster, ['taint', 'node', first.name, 'example.com/mine-']);
  });
});
