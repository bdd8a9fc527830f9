/** Resources that come, change and go with the ConfigMap `berth-devices`, while the agents and the pods go on. */
import { beforeAll, expect, test } from 'vitest';
import { berthNamespace } from '../../scripts/deploy.ts';
import { inPod } from '../../scripts/kubectl.ts';
import { agentPids } from '../faults/agent.ts';
import { containerOf, containersPod, insideContainer, restartContainer } from './containers.ts';
import { agentPod, offered, useDeviceRules } from './devicerules.ts';
import { eventually, useScene } from './scene.ts';

const scene = useScene('device-reload');
const { cluster } = scene;
const rules = useDeviceRules(cluster);
const node = cluster.nodes[1]!;
const entropy = { name: 'reload.test/entropy', paths: ['/dev/hwrng'] };
const arbiter = { name: 'reload.test/arbiter', paths: ['/dev/vga_arbiter'] };

/** The processes of all agents, by node. */
const agents = (): Promise<readonly (string | undefined)[]> => Promise.all(cluster.nodes.map(agentPids));
let before: readonly (string | undefined)[] = [];
beforeAll(async () => {
  before = await agents();
});

const open = async (path: string): Promise<string> =>
  (await insideContainer(scene, 'pod', 'main', `exec 3<${path} && echo open`)).text;

test('a resource that is added is offered by the agents that run', async () => {
  await rules.set(entropy);
  for (const { name } of cluster.nodes) await offered(cluster, name, entropy.name, 1);
  await scene.apply(containersPod('pod', node.name, [{ name: 'main', limits: { [entropy.name]: 1 } }]));
  await scene.ready('pod');
  expect(await open('/dev/hwrng')).toBe('open');
  expect(await agents()).toEqual(before);
});

test('one that is added later changes nothing for the one before', async () => {
  await rules.set(entropy, arbiter);
  await offered(cluster, node.name, arbiter.name, 1);
  await offered(cluster, node.name, entropy.name, 1);
  expect(await open('/dev/hwrng')).toBe('open');
});

test('a mistake leaves the rules as they were, and the log says in which file and line it is', async () => {
  await rules.write(`resources:
  - name: ${entropy.name}
    paths: [/dev/hwrng]
  - name: reload.test/wrong
    paths: [/dev/zero]
    permissions: rx
`);
  const pod = await agentPod(cluster, node.name);
  const line = await eventually('the agent to tell the mistake', 30, async () => {
    const { stdout } = await cluster.kubectl(['logs', '-n', berthNamespace, pod.metadata.name, '--all-containers']);
    return stdout.split('\n').findLast((each) => each.includes('device.rules_refused'));
  });
  expect(line).toContain('/etc/berth-devices/rules.yaml:6: resources[1].permissions');
  // What the mistaken file leaves out is still offered.
  await offered(cluster, node.name, entropy.name, 1);
  await offered(cluster, node.name, arbiter.name, 1);
  const shown = await inPod(cluster, pod, ['berth', 'get', 'devices']);
  expect(shown.stdout).toContain(arbiter.name);
  expect(shown.stdout).not.toContain('reload.test/wrong');
  expect(await agents()).toEqual(before);
});

test('a resource that is taken away is offered no more, the pod that has it goes on and can start again', async () => {
  await rules.set(arbiter);
  await offered(cluster, node.name, entropy.name, 0);
  expect(await open('/dev/hwrng')).toBe('open');
  const { restarts } = await containerOf(scene, 'pod', 'main');
  expect(restarts).toBe(0);
  await restartContainer(scene, 'pod', 'main');
  expect(await open('/dev/hwrng')).toBe('open');
  await offered(cluster, node.name, arbiter.name, 1);
});

test('without the ConfigMap nothing of it is left, and the agents are those from before', async () => {
  await scene.remove('pod', 'pod');
  await rules.clear();
  expect(await agents()).toEqual(before);
});
