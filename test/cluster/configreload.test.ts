/** The agents' configuration changed by hand while they run: what they take over, and what they and the doctor say of the rest. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Finding } from '../../agent/doctor/finding.ts';
import { berthNamespace } from '../../scripts/deploy.ts';
import { eventsOf, inPod, kubectl } from '../../scripts/kubectl.ts';
import { agentPids } from '../faults/agent.ts';
import { everyAgentHas } from './agentfiles.ts';
import { agentPod, offered } from './devicerules.ts';
import { eventually, podManifest, useScene } from './scene.ts';
import { manifests } from './setup.ts';

const scene = useScene('config-reload');
const { cluster } = scene;
const node = cluster.nodes[1]!;
const inBerth = ['-n', berthNamespace];

const agents = (): Promise<readonly (string | undefined)[]> => Promise.all(cluster.nodes.map(agentPids));
let before: readonly (string | undefined)[] = [];
let configMap = '';
let original = '';
beforeAll(async () => {
  original = await readFile(join(manifests, 'config.yaml'), 'utf8');
  const path = '-o=jsonpath={.spec.template.spec.volumes[?(@.name=="config")].configMap.name}';
  configMap = await kubectl(cluster, ['get', 'daemonset', 'berth', ...inBerth, path]);
  before = await agents();
});
afterAll(() => put(original));

/** As `kubectl edit` does, to the ConfigMap that the agents have mounted. */
async function put(text: string): Promise<void> {
  const patch = JSON.stringify({ data: { 'config.yaml': text } });
  await kubectl(cluster, ['patch', 'configmap', configMap, ...inBerth, '--type=merge', '--patch', patch]);
  await everyAgentHas(cluster, 'config/config.yaml', text);
}

const edited = (from: string, to: string): string => {
  if (!original.includes(from)) throw new Error(`the configuration has no ${from}`);
  return original.replace(from, to);
};

interface Told {
  readonly id: string;
  readonly severity: string;
  readonly message: string;
  readonly fix: string;
}

/** Waits until the BerthNode of every node says so of the configuration. */
async function everyNodeTells(...wanted: readonly Partial<Told>[]): Promise<void> {
  let last: unknown;
  await eventually('the BerthNodes to tell of the configuration', 60, async () => {
    const { items } = JSON.parse(await kubectl(cluster, ['get', 'berthnodes', '-o', 'json'])) as {
      readonly items: readonly { readonly status: { readonly doctor: { readonly findings: readonly Told[] } } }[];
    };
    const told = items.map(({ status }) => status.doctor.findings.filter(({ id }) => id.startsWith('agent.config')));
    last = told;
    const isTold = (findings: readonly Told[]): boolean =>
      findings.length === wanted.length && wanted.every((each, at) => isLike(findings[at], each));
    return told.length === cluster.nodes.length && told.every(isTold) ? true : undefined;
  }).catch((error: unknown) => {
    throw new Error(`${String(error)}; they tell ${JSON.stringify(last)}`, { cause: error });
  });
}

function isLike(found: Told | undefined, wanted: Partial<Told>): boolean {
  return Object.entries(wanted).every(([key, value]) => found?.[key as keyof Told] === value);
}

async function inAgent(...words: readonly string[]): Promise<string> {
  return (await inPod(cluster, await agentPod(cluster, node.name), words)).stdout;
}

async function finding(id: string): Promise<Finding | undefined> {
  const { findings } = JSON.parse(await inAgent('berth', 'doctor', '-o', 'json')) as { findings: readonly Finding[] };
  return findings.find((each) => each.id === id);
}

test('what needs a restart is told, by every node and by the doctor, until it is as before: agent.config-pending', async () => {
  await put(edited('network:\n', 'network:\n  mtu: 1400\n').replace('capacity: 128Mi', 'capacity: 256Mi'));
  const message = 'the configuration has changed since the agent started: network.mtu, storage.pools[memory].capacity';
  const fix = `kubectl -n ${berthNamespace} rollout restart daemonset/berth`;
  await everyNodeTells({ id: 'agent.config-pending', severity: 'Warning', message, fix });
  expect(await finding('agent.config-pending')).toMatchObject({ severity: 'warning', message, fix });
  const metrics = await node.exec(['busybox', 'wget', '-q', '-O', '-', 'http://127.0.0.1:9880/metrics']);
  expect(metrics.stdout).toMatch(/^berth_config_in_effect 0$/m);
  await put(original);
  await everyNodeTells();
  expect(await finding('agent.config-pending')).toMatchObject({ severity: 'pass' });
});

test('a mistake changes nothing, and is told with its line, in an event too; the doctor looks all the same: agent.config-file', async () => {
  await put(edited('port: 9880', 'port: high'));
  const line = original.slice(0, original.indexOf('port: 9880')).split('\n').length;
  const mistake = `/etc/berth/config.yaml:${line}: agent.port: expected a number, got "high"`;
  const message = `/etc/berth/config.yaml cannot be used, and the agent keeps what it has: ${mistake}`;
  await everyNodeTells({ id: 'agent.config-file', severity: 'Failure', message });
  expect(await finding('agent.config-file')).toMatchObject({ severity: 'failure', message });
  expect(await finding('cni.executable')).toMatchObject({ severity: 'pass' });
  await eventually('an event on the Node', 60, async () => {
    const events = await eventsOf(cluster, 'Node', 'default', node.name);
    return events.find((event) => event.reason === 'ConfigUnusable' && event.message === message);
  });
  expect(await agents()).toEqual(before);
});

test('the level of the log and the rules of devices are taken over by the agents that run', async () => {
  await put(
    edited('logLevel: info', 'logLevel: debug').replace(
      'resources:\n',
      'resources:\n    - {name: reload.test/entropy, paths: [/dev/hwrng]}\n',
    ),
  );
  await everyNodeTells();
  for (const { name } of cluster.nodes) await offered(cluster, name, 'reload.test/entropy', 1);
  await scene.apply(podManifest('pod', { node: node.name, limits: { 'reload.test/entropy': 1 } }));
  await scene.ready('pod');
  const { metadata } = await agentPod(cluster, node.name);
  const log = await kubectl(cluster, ['logs', ...inBerth, metadata.name, '-c', 'berth']);
  const lines = log
    .split('\n')
    .flatMap((each) => (each.startsWith('{') ? [JSON.parse(each) as Record<string, unknown>] : []));
  expect(lines.findLast(({ event }) => event === 'config.applied')).toMatchObject({
    fields: ['agent.logLevel', 'devices.resources[reload.test/entropy]'],
  });
  expect(lines).toContainEqual(expect.objectContaining({ level: 'debug', msg: 'CNI call done', op: 'ADD' }));
  await scene.remove('pod', 'pod');
  await put(original);
  for (const { name } of cluster.nodes) await offered(cluster, name, 'reload.test/entropy', 0);
  await everyNodeTells();
  expect(await agents()).toEqual(before);
});
