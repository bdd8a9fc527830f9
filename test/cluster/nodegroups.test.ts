/**
 * A group of nodes of the chart, with a device and a pool of its own: a node gets into it by its label, and the others are as they were.
 * Of the DaemonSet `berth`, which this cluster has by other ways, only the chart's affinity is taken.
 */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { parse, parseAllDocuments } from 'yaml';
import { z } from 'zod';
import type { NodeStatus } from '../../agent/report/nodestatus.ts';
import { render } from '../../scripts/chart/helm.ts';
import { containers } from '../../scripts/chart/manifests.ts';
import { berthNamespace, waitForAgents } from '../../scripts/deploy.ts';
import { isSettled, kubectl, listPods } from '../../scripts/kubectl.ts';
import { agentPids } from '../faults/agent.ts';
import { countsOf, offered } from './devicerules.ts';
import { eventually, podManifest, useScene } from './scene.ts';
import { manifests } from './setup.ts';

const scene = useScene('node-groups');
const { cluster } = scene;
const node = cluster.nodes[1]!;
const others = cluster.nodes.filter((each) => each !== node);
const inBerth = ['-n', berthNamespace];
const label = 'berth.dev/node-group';
const pool = { name: 'grouped', path: '/var/lib/berth/pools/grouped' };
const entropy = 'groups.test/entropy';
const fuse = { name: 'berth.dev/fuse', paths: ['/dev/fuse'], sharing: { replicas: 2 } };

const object = z.looseObject({
  kind: z.string(),
  metadata: z.looseObject({ name: z.string() }),
  spec: z
    .looseObject({ template: z.looseObject({ spec: z.looseObject({ affinity: z.unknown().optional() }) }) })
    .optional(),
});
const shared = z.looseObject({ storage: z.looseObject({ pools: z.array(z.unknown()) }) });

const agentsOf = async (all: typeof others): Promise<readonly (string | undefined)[]> =>
  await Promise.all(all.map(agentPids));
let before: readonly (string | undefined)[] = [];
let strategy: unknown;

beforeAll(async () => {
  before = await agentsOf(others);
  const { storage } = shared.parse(parse(await readFile(join(manifests, 'config.yaml'), 'utf8')));
  const group = {
    devices: { resources: [fuse, { name: entropy, paths: ['/dev/hwrng'] }] },
    storage: { pools: [...storage.pools, pool] },
  };
  const text = await render({
    values: { containers, config: { storage }, nodeGroups: [{ name: 'special', config: group }] },
    templates: ['daemonset.yaml', 'configmap.yaml'],
  });
  const objects = parseAllDocuments(text).map((each) => object.parse(each.toJS()));
  const rest = objects.find(({ kind, metadata }) => kind === 'DaemonSet' && metadata.name === 'berth');
  strategy = JSON.parse(
    await kubectl(cluster, ['get', 'daemonset', 'berth', ...inBerth, '-o=jsonpath={.spec.updateStrategy}']),
  );
  // Where it says nothing against a node, its agent stays and is not started anew.
  await patchAgents({ type: 'OnDelete', rollingUpdate: null }, rest?.spec?.template.spec.affinity);
  const items = objects.filter(({ metadata }) => metadata.name.endsWith('-special'));
  expect(items.map(({ kind }) => kind).toSorted()).toEqual(['ConfigMap', 'DaemonSet']);
  const stdin = JSON.stringify({ apiVersion: 'v1', kind: 'List', items });
  await kubectl(cluster, ['apply', ...inBerth, '-f', '-'], { stdin });
});
afterAll(takeApart);

async function patchAgents(updateStrategy: unknown, affinity: unknown): Promise<void> {
  const patch = JSON.stringify({ spec: { updateStrategy, template: { spec: { affinity } } } });
  await kubectl(cluster, ['patch', 'daemonset', 'berth', ...inBerth, '--type=merge', '--patch', patch]);
}

/** In this order the node's next agent is one of before, and is not started twice. */
async function takeApart(): Promise<void> {
  const group = ['daemonset/berth-special', 'configmap/berth-config-special'];
  await kubectl(cluster, ['delete', ...inBerth, ...group, '--ignore-not-found', '--cascade=foreground']);
  await patchAgents(strategy, null);
  await kubectl(cluster, ['label', 'node', node.name, `${label}-`]);
  await waitForAgents(cluster);
  await node.exec(['rm', '-rf', pool.path]);
}

/** Waits until the one agent of the node is a pod of this DaemonSet, and serves. */
async function servedBy(daemonSet: string): Promise<void> {
  await eventually(`${node.name} to be served by ${daemonSet} alone`, 90, async () => {
    const pods = await listPods(cluster, berthNamespace);
    const here = pods.filter(({ metadata, spec }) => spec.nodeName === node.name && /^berth-/.test(metadata.name));
    const [pod, ...more] = here;
    if (pod === undefined || more.length > 0 || !isSettled(pod)) return undefined;
    return pod.metadata.name.slice(0, pod.metadata.name.lastIndexOf('-')) === daemonSet ? true : undefined;
  });
}

async function poolsOf(name: string): Promise<readonly string[]> {
  const { status } = JSON.parse(await kubectl(cluster, ['get', 'berthnode', name, '-o', 'json'])) as {
    readonly status: NodeStatus;
  };
  return (status.storage?.pools ?? []).map((each) => each.name);
}

test('a node that gets the label has what its group has, and no other has it', async () => {
  await kubectl(cluster, ['label', 'node', node.name, `${label}=special`]);
  await servedBy('berth-special');
  await offered(cluster, node.name, entropy, 1);
  await eventually(
    `the pools of ${node.name}`,
    60,
    async () => (await poolsOf(node.name)).includes(pool.name) || undefined,
  );
  for (const { name } of others) {
    expect([name, await countsOf(cluster, name, entropy)]).toEqual([name, undefined]);
    expect(await poolsOf(name)).not.toContain(pool.name);
  }
  expect(await agentsOf(others)).toEqual(before);
});

test('a pod that asks for it gets to that node', async () => {
  await scene.apply(podManifest('pod', { limits: { [entropy]: 1 } }));
  const { spec } = await scene.ready('pod');
  expect(spec.nodeName).toBe(node.name);
  expect((await scene.inside('pod', 'test -c /dev/hwrng && echo there')).text).toBe('there');
  await scene.remove('pod', 'pod');
});

test('without the group the node is as before, by the agent of the rest', async () => {
  await takeApart();
  await servedBy('berth');
  // The kubelet remembers for five minutes that somebody had it.
  await offered(cluster, node.name, entropy, 0, 1);
  await eventually(
    `the pools of ${node.name}`,
    60,
    async () => !(await poolsOf(node.name)).includes(pool.name) || undefined,
  );
  expect(await agentsOf(others)).toEqual(before);
});
