import { describe, expect, test } from 'vitest';
import { agentsOf, askAgents, partsOfAgent, whyRefused } from './agents.ts';
import type { Ran } from './kubectl.ts';
import type { PodObject } from './objects.ts';
import { agentPod } from './testobjects.ts';

const running = { running: {} };

function changed(pod: PodObject, change: Partial<PodObject['metadata']>): PodObject {
  return { ...pod, metadata: { ...pod.metadata, ...change } };
}

describe('the agent of a node', () => {
  test('is its pod, in the first of its containers that runs', () => {
    const parts: PodObject = {
      ...agentPod('b'),
      status: {
        containerStatuses: [
          { name: 'csi-provisioner', ready: true, state: running },
          { name: 'network', ready: false, state: { waiting: { reason: 'Error' } } },
          { name: 'devices', ready: true, state: running },
          { name: 'storage', ready: true, state: running },
        ],
      },
    };
    const [a, b] = agentsOf([parts, agentPod('a')]);
    expect([a?.node, a?.container, a?.why]).toEqual(['a', 'berth', undefined]);
    expect([b?.container, b?.why]).toEqual(['devices', 'the container network of its agent does not run: Error']);
    expect(partsOfAgent(b!).map(({ container }) => container)).toEqual(['devices', 'storage']);
    expect(partsOfAgent(a!)).toEqual([a]);
  });

  test('is the one that serves, while another takes its place', () => {
    const old = changed(agentPod('a'), { name: 'old', deletionTimestamp: '2026-01-01T00:00:00Z' });
    const broken = changed(agentPod('a', { waiting: { reason: 'Pulling' } }), { name: 'broken' });
    expect(agentsOf([old, broken, agentPod('a')]).map(({ pod }) => pod)).toEqual(['berth-a']);
  });

  test.each<[string, PodObject]>([
    ['of something else', changed(agentPod('a'), { labels: { 'app.kubernetes.io/component': 'controller' } })],
    ['that is on no node', { ...agentPod('a'), spec: {} }],
    ['whose name could be a flag', changed(agentPod('a'), { name: '--kubeconfig' })],
  ])('is no pod %s', (_, pod) => {
    expect(agentsOf([pod])).toEqual([]);
  });

  test('may be of a group of nodes', () => {
    const labels = { 'app.kubernetes.io/component': 'agent-gpu' };
    expect(agentsOf([changed(agentPod('a'), { labels })])).toHaveLength(1);
  });
});

describe('asking', () => {
  const agents = agentsOf([agentPod('a'), agentPod('b', { waiting: {} })]);
  const answering = (ran: Partial<Ran>) => (): Promise<Ran> =>
    Promise.resolve({ code: 0, stdout: '', stderr: '', ...ran });

  test('one that does not run is not asked, and the others are', async () => {
    const told = await askAgents(answering({ stdout: '{"items":[1]}' }), agents, ['get', 'pools']);
    expect(told).toEqual([
      { node: 'a', answer: { items: [1] } },
      { node: 'b', error: 'the container berth of its agent does not run: Unknown' },
    ]);
  });

  test.each<[Partial<Ran>, string]>([
    [{ stdout: 'hello' }, 'its agent answered what is no JSON; is it of another version?'],
    [{ code: 1, stderr: 'berth: no disk\ncommand terminated with exit code 1\n' }, 'no disk'],
    [{ code: 2, stderr: '' }, 'its agent answered with exit code 2'],
    [
      {
        code: 1,
        stderr:
          'Error from server (Forbidden): pods "x" is forbidden: User "u" cannot create resource "pods/exec" in API group "" in the namespace "berth-system"',
      },
      'you may not create pods/exec in the namespace berth-system',
    ],
  ])('%j is told as %s', async (ran, error) => {
    const [told] = await askAgents(answering(ran), agents, ['get', 'pools']);
    expect(told).toEqual({ node: 'a', error });
  });

  test('what an agent says cannot steer a terminal', () => {
    expect(whyRefused('berth: \u001b[2Jboo', 1)).toBe('?[2Jboo');
  });
});
