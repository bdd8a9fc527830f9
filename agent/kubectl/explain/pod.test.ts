import { describe, expect, test } from 'vitest';
import type { PodObject, PodSpec } from '../objects.ts';
import { berthNode, deviceView, fleet } from '../testobjects.ts';
import { explainPod } from './pod.ts';
import { explainResource } from './resource.ts';
import type { FleetSight, PodSight } from './sight.ts';
import { first, pending, scanner, wanting } from './testsights.ts';
import { explanationText } from './text.ts';

describe('a pod that waits for a device', () => {
  const held = [deviceView('usb-1', ['old'])];
  test.each<[string, FleetSight, string]>([
    [
      'which another holds',
      fleet({ 'node-1': { devices: held }, 'node-2': {} }),
      'shop/till waits for berth.dev/scanner: node-1 has 1, held by shop/old; node-2 has none',
    ],
    [
      'which is ill',
      fleet({ 'node-1': { devices: [deviceView('usb-1', [], 'it is gone')] } }),
      'shop/till waits for berth.dev/scanner: node-1 has 1, usb-1 is unhealthy: it is gone',
    ],
    [
      'that no node has',
      fleet({ 'node-1': {}, 'node-2': {} }),
      'shop/till waits for berth.dev/scanner: each of node-1, node-2 has none',
    ],
    [
      'on a node that cannot be asked',
      fleet({ 'node-1': {} }, { devices: [{ node: 'node-1', error: 'its agent does not run' }] }),
      'shop/till waits for berth.dev/scanner: node-1 cannot be asked: its agent does not run',
    ],
    [
      'that is on a node which its selector excludes',
      fleet({ 'node-1': { devices: held }, 'node-2': { devices: [deviceView('usb-2')] } }),
      'shop/till waits, because no node has all that it asks for: node-1 has 1, held by shop/old (berth.dev/scanner); ' +
        "node-2 has kubernetes.io/hostname=node-2; the pod's nodeSelector asks for kubernetes.io/hostname=node-1",
    ],
    [
      'and a node has one',
      fleet({ 'node-1': { devices: [deviceView('usb-1')] }, 'node-2': {} }),
      'Nothing that Berth knows of keeps shop/till from node-1',
    ],
  ])('%s', (what, nodes, sentence) => {
    const spec = what.includes('selector')
      ? { ...scanner, nodeSelector: { 'kubernetes.io/hostname': 'node-1' } }
      : scanner;
    expect(first(nodes, spec)).toBe(sentence);
  });

  test('of another plugin, which the node has', () => {
    const object = { status: { allocatable: { 'vendor.example/gpu': '4' } } };
    expect(first(fleet({ a: { object } }), wanting({ 'vendor.example/gpu': '1' }))).toMatch(
      /^Nothing that Berth knows/,
    );
  });

  test('counts init containers by the largest, and containers together', () => {
    const one = { name: 'x', resources: { limits: { 'berth.dev/scanner': '1' } } };
    const spec = { containers: [one, one], initContainers: [one] };
    const nodes = fleet({ a: { devices: [deviceView('usb-1')] } });
    expect(first(nodes, spec)).toContain('a has 1, 1 free, 2 asked');
  });
});

describe('a pod that a node keeps out', () => {
  test.each<[string, Parameters<typeof fleet>[0], PodSpec, string]>([
    [
      'by a taint',
      { a: { object: { spec: { taints: [{ key: 'berth.dev/agent-not-ready', effect: 'NoExecute' }] } } } },
      {},
      'a has the taint berth.dev/agent-not-ready:NoExecute, which the pod does not tolerate',
    ],
    ['by a cordon', { a: { object: { spec: { unschedulable: true } } } }, {}, 'a is cordoned'],
    [
      'because it is not ready',
      { a: { object: { status: { conditions: [{ type: 'Ready', status: 'False', reason: 'KubeletNotReady' }] } } } },
      {},
      'a is not ready (KubeletNotReady)',
    ],
    [
      'because it has no network',
      { a: { told: berthNode('a', 'no link is up') } },
      {},
      'a has no network: no link is up',
    ],
    [
      'because its addresses are used up',
      {
        a: {
          told: {
            metadata: { name: 'a' },
            status: { network: { ranges: [{ range: '10.1.0.0/29', size: 5, used: 5 }] } },
          },
        },
      },
      {},
      'a has no address left in 10.1.0.0/29 (5)',
    ],
    [
      'by its affinity',
      { a: {} },
      {
        affinity: {
          nodeAffinity: {
            requiredDuringSchedulingIgnoredDuringExecution: {
              nodeSelectorTerms: [{ matchExpressions: [{ key: 'disk', operator: 'Exists' }] }],
            },
          },
        },
      },
      "a does not fit the pod's node affinity",
    ],
  ])('%s', (_, nodes, spec, text) => {
    expect(first(fleet(nodes), spec)).toContain(text);
  });

  test('not by what it tolerates, nor by the network when it has that of the node', () => {
    const taints = [{ key: 'x', value: 'y', effect: 'NoSchedule' }];
    const nodes = fleet({ a: { object: { spec: { taints } }, told: berthNode('a', 'no link') } });
    expect(first(nodes, { hostNetwork: true, tolerations: [{ key: 'x', value: 'y' }] })).toMatch(/^Nothing/);
  });
});

test('a pod on its node: what its containers and the kubelet say', () => {
  const waiting = { reason: 'ContainerCreating' };
  const pod: PodObject = {
    metadata: { name: 'till', namespace: 'shop' },
    spec: { nodeName: 'a' },
    status: { phase: 'Pending', containerStatuses: [{ name: 'main', state: { waiting } }] },
  };
  const event = {
    metadata: { name: 'e' },
    type: 'Warning',
    reason: 'FailedMount',
    message: 'the pool "default" is gone',
  };
  const sight: PodSight = {
    pod,
    events: { seen: [event] },
    fleet: fleet({ a: { told: berthNode('a', 'storage: it is gone') } }),
    claims: [],
  };
  expect(explainPod(sight).conclusions).toEqual([
    'shop/till is on a and is Pending: the container main waits: ContainerCreating',
    'The last that a tells: FailedMount: the pool "default" is gone',
    'Berth is not well on a: storage: it is gone',
  ]);
});

test('a resource: who has it, and who holds it', () => {
  const nodes = fleet({ a: { devices: [deviceView('usb-1', ['old']), deviceView('usb-2')] }, b: {} });
  expect(explainResource('berth.dev/scanner', nodes).conclusions).toEqual([
    'berth.dev/scanner has 1 free on 1 of 2 nodes: a has 2, 1 free, held by shop/old',
  ]);
  expect(explainResource('berth.dev/other', nodes).conclusions[0]).toMatch(/^No node has berth\.dev\/other/);
});

test('what could not be seen is said', () => {
  const why = 'you may not list nodes at the cluster scope';
  const blind = fleet({}, { nodes: { unseen: 'forbidden', why }, agentsUnseen: 'the agents cannot be found' });
  const { conclusions } = explainPod({ pod: pending(scanner), events: { seen: [] }, fleet: blind, claims: [] });
  expect(conclusions).toEqual([
    'shop/till has no node yet',
    'The scheduler says: Insufficient berth.dev/scanner',
    `Nodes could not be seen: ${why}`,
    'What the nodes have could not be seen: the agents cannot be found',
  ]);
});

test('as text: sentences, then what they rest on, and nothing that steers a terminal', () => {
  const nodes = fleet({ a: { devices: [deviceView('usb\u001b[2J', ['old'])] } });
  const text = explanationText(explainPod({ pod: pending(scanner), events: { seen: [] }, fleet: nodes, claims: [] }));
  expect(text).not.toContain('\u001b');
  expect(text).toMatch(/^shop\/till waits for berth\.dev\/scanner: a has 1, held by shop\/old\.\n/);
  expect(text).toMatch(/\n\nDevices:\nNODE +RESOURCE +ID +HEALTH +USED +HOLDERS +REASON\na +berth\.dev\/scanner/);
});
