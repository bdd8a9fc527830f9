import { describe, expect, test } from 'vitest';
import type { ClaimObject, EventObject, PodObject, PodSpec } from '../objects.ts';
import { berthNode, deviceView, fleet, poolView } from '../testobjects.ts';
import { explainClaim } from './claim.ts';
import { explainPod } from './pod.ts';
import { explainResource } from './resource.ts';
import type { ClaimSight, FleetSight, PodSight } from './sight.ts';
import { targetOf } from './target.ts';
import { explanationText } from './text.ts';

const Gi = 2 ** 30;

function pending(spec: PodSpec, message = 'Insufficient berth.dev/scanner'): PodObject {
  return {
    metadata: { name: 'till', namespace: 'shop' },
    spec,
    status: { phase: 'Pending', conditions: [{ type: 'PodScheduled', status: 'False', message }] },
  };
}

function wanting(limits: Readonly<Record<string, string>>, more: PodSpec = {}): PodSpec {
  return { containers: [{ name: 'main', resources: { limits } }], ...more };
}

const scanner = wanting({ 'berth.dev/scanner': '1', cpu: '2' });

function first(nodes: FleetSight, spec: PodSpec = scanner, claims: readonly ClaimSight[] = []): string {
  const sight: PodSight = { pod: pending(spec), events: { seen: [] }, fleet: nodes, claims };
  return explainPod(sight).conclusions[0] ?? '';
}

function claim(size: string, more: Partial<ClaimSight> = {}, spec: ClaimObject['spec'] = {}): ClaimSight {
  return {
    ...{ namespace: 'shop', name: 'data', volume: undefined, source: undefined },
    claim: {
      seen: {
        metadata: { name: 'data' },
        spec: { storageClassName: 'berth-xfs', resources: { requests: { storage: size } }, ...spec },
        status: { phase: 'Pending' },
      },
    },
    storageClass: {
      seen: {
        metadata: { name: 'berth-xfs' },
        provisioner: 'csi.berth.dev',
        volumeBindingMode: 'WaitForFirstConsumer',
      },
    },
    events: { seen: [] },
    users: { seen: [] },
    ...more,
  };
}

const onNode = (node: string): NonNullable<ClaimSight['volume']> => ({
  metadata: { name: 'pvc-1' },
  spec: {
    csi: { driver: 'csi.berth.dev' },
    nodeAffinity: {
      required: {
        nodeSelectorTerms: [{ matchExpressions: [{ key: 'csi.berth.dev/node', operator: 'In', values: [node] }] }],
      },
    },
  },
});

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

describe('a claim', () => {
  const nodes = fleet({
    'node-1': { pools: [poolView('default', 4 * Gi)] },
    'node-2': { pools: [poolView('default', Gi)] },
  });
  const failed: EventObject = {
    metadata: { name: 'e' },
    type: 'Warning',
    reason: 'ProvisioningFailed',
    message: 'no room',
  };
  const capacity = (node: string, size: string): object => ({
    metadata: { name: node },
    storageClassName: 'berth-xfs',
    nodeTopology: { matchLabels: { 'csi.berth.dev/node': node } },
    maximumVolumeSize: size,
  });
  test.each<[string, ClaimSight, RegExp]>([
    ['that nobody uses', claim('2Gi'), /waits for a pod that uses it.*\n.*room for it on node-1$/],
    [
      'that fits nowhere',
      claim('6Gi'),
      /cannot be made: it asks for 6Gi, and no node has room for it: node-1 has 4Gi in the pool "default", 6Gi asked; node-2 has 1Gi/,
    ],
    [
      'whose node has no room',
      claim('2Gi', {
        claim: {
          seen: {
            metadata: { name: 'data', annotations: { 'volume.kubernetes.io/selected-node': 'node-2' } },
            spec: { storageClassName: 'berth-xfs', resources: { requests: { storage: '2Gi' } } },
          },
        },
        events: { seen: [failed] },
      }),
      /is to be made on node-2, which has 1Gi in the pool "default", 2Gi asked\n.*room for it on node-1\n.*failed: ProvisioningFailed: no room/,
    ],
    [
      'whose pod has no node',
      claim('2Gi', { users: { seen: [pending({})] } }),
      /waits until till has a node: explain pod\/till/,
    ],
    ['of no class', claim('1Gi', {}, { storageClassName: '' }), /names no storage class/],
    [
      'of a class that there is not',
      claim('1Gi', { storageClass: { seen: undefined } }),
      /class berth-xfs, which does not exist/,
    ],
    [
      'of somebody else',
      claim('1Gi', { storageClass: { seen: { metadata: { name: 'x' }, provisioner: 'other.example' } } }),
      /not Berth's: its class berth-xfs belongs to other\.example/,
    ],
    [
      'of a pool that there is not',
      claim('1Gi', {
        storageClass: { seen: { metadata: { name: 'x' }, provisioner: 'csi.berth.dev', parameters: { pool: 'fast' } } },
      }),
      /node-1 has no pool "fast"; node-2 has no pool "fast"/,
    ],
    [
      'that is filled from another node',
      claim('1Gi', { source: onNode('node-3') }),
      /node-1 is not where the source of its data is/,
    ],
    ['that has its volume', claim('1Gi', { volume: onNode('node-2') }), /bound to the volume pvc-1, on node-2$/],
    ['that is not there', claim('1Gi', { claim: { seen: undefined } }), /does not exist/],
    [
      'that may not be seen',
      claim('1Gi', { claim: { unseen: 'forbidden', why: 'you may not' } }),
      /could not be seen: you may not/,
    ],
  ])('%s', (_, sight, pattern) => {
    expect(explainClaim(sight, nodes).conclusions.join('\n')).toMatch(pattern);
  });

  test('finds no room in a pool that cannot make its filesystem', () => {
    const subvolumes = { ...poolView('subvolumes', 100 * Gi), engine: 'subvolume' } as const;
    const mixed = fleet({ 'node-1': { pools: [poolView('default', Gi), subvolumes] } });
    const of = (fstype: string): ClaimSight =>
      claim('6Gi', {
        storageClass: {
          seen: {
            metadata: { name: fstype },
            provisioner: 'csi.berth.dev',
            parameters: { 'csi.storage.k8s.io/fstype': fstype },
          },
        },
      });
    expect(explainClaim(of('xfs'), mixed).conclusions[0]).toMatch(
      /for it: node-1 has 1Gi in the pool "default", 6Gi asked$/,
    );
    expect(explainClaim(of('btrfs'), mixed).conclusions[0]).not.toContain('cannot be made');
  });

  test('is held to what the scheduler believes, where no agent answers', () => {
    const blind = { ...nodes, pools: [], capacities: { seen: [capacity('node-1', '3Gi') as never] } };
    expect(explainClaim(claim('4Gi'), blind).conclusions[0]).toContain(
      'node-1 offers 3Gi to the scheduler, 4Gi asked; node-2 offers no room to the class berth-xfs',
    );
  });

  test('keeps its pod waiting, or on the node where its volume is', () => {
    expect(first(nodes, {}, [claim('6Gi')])).toMatch(
      /^shop\/till waits for the claim data: node-1 has 4Gi in the pool/,
    );
    expect(first(nodes, {}, [claim('1Gi', { claim: { seen: undefined } })])).toMatch(
      /the claim data, which does not exist/,
    );
    const spec = { nodeSelector: { 'kubernetes.io/hostname': 'node-1' } };
    expect(first(nodes, spec, [claim('1Gi', { volume: onNode('node-2') })])).toContain(
      'node-1 is not where its volume is',
    );
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

describe('what is asked about', () => {
  test.each([
    [['pod/till'], { kind: 'pod', name: 'till' }],
    [['pvc', 'data'], { kind: 'pvc', name: 'data' }],
    [['resource/berth.dev/x'], { kind: 'resource', name: 'berth.dev/x' }],
    [['device//dev/ttyUSB0@node-1'], { kind: 'device', path: '/dev/ttyUSB0', node: 'node-1' }],
    [['device/dev/ttyUSB0@node-1'], { kind: 'device', path: '/dev/ttyUSB0', node: 'node-1' }],
    [['device', 'ttyUSB0@node-1'], { kind: 'device', path: '/dev/ttyUSB0', node: 'node-1' }],
    [['device/c188:0@node-1'], { kind: 'device', path: 'c188:0', node: 'node-1' }],
  ])('%j', (words, target) => {
    expect(targetOf(words)).toEqual(target);
  });

  test.each([[['till']], [['ship/x']], [['pod/']], [['device//dev/x']], [['__proto__/x']]])(
    '%j is refused',
    (words) => {
      expect(() => targetOf(words)).toThrow(/expected pod\/NAME|on which node/);
    },
  );
});
