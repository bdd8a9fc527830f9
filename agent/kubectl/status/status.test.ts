import { describe, expect, test } from 'vitest';
import type { BerthNodeObject, DaemonSetObject } from '../objects.ts';
import { paintFor } from '../style.ts';
import { agentPod, berthNode, nodeObject } from '../testobjects.ts';
import { judge } from './judge.ts';
import { statusText } from './text.ts';
import type { Sight, Status } from './verdict.ts';

const daemonSet: DaemonSetObject = {
  metadata: { name: 'berth' },
  spec: { template: { spec: { nodeSelector: { 'kubernetes.io/os': 'linux' } } } },
};
const forbidden = { unseen: 'forbidden', why: 'you may not list pods at the cluster scope' } as const;

function sight(more: Partial<Sight> = {}): Sight {
  return {
    nodes: { seen: [nodeObject('a'), nodeObject('b')] },
    pods: { seen: [agentPod('a'), agentPod('b')] },
    daemonSets: { seen: [daemonSet] },
    berthNodes: { seen: [berthNode('a'), berthNode('b')] },
    asked: [],
    ...more,
  };
}

function reasonsOf(status: Status, node: string): readonly string[] {
  return status.nodes.find((each) => each.node === node)?.reasons ?? [];
}

const partly = (change: (status: NonNullable<BerthNodeObject['status']>) => object): BerthNodeObject => {
  const object = berthNode('b');
  return { ...object, status: { ...object.status, ...change(object.status ?? {}) } };
};

test('all is well', () => {
  const status = judge(sight());
  expect(status.well).toBe(true);
  expect(status.notes).toEqual([]);
  expect(status.parts.map(({ part, state, text }) => [part, state, text])).toEqual([
    ['Agents', 'well', '2 of 2 nodes, version 0.1.0'],
    ['Network', 'well', '2 of 2 nodes, 6 pods'],
    ['Devices', 'well', '2 of 2 nodes, 2/2 healthy, 0 of 2 shares in use'],
    ['Storage', 'well', '2 of 2 nodes, 20Gi available, 2 volumes, 0 snapshots'],
  ]);
});

describe('a node is not well', () => {
  const crash = { waiting: { reason: 'CrashLoopBackOff', message: 'back-off 5m0s' } };
  const b = { seen: [berthNode('a'), berthNode('b')] };
  test.each<[string, Partial<Sight>, readonly RegExp[]]>([
    ['without an agent', { pods: { seen: [agentPod('a')] } }, [/^no agent runs here$/, /BerthNode says is old/]],
    [
      'whose agent crashes',
      { pods: { seen: [agentPod('a'), agentPod('b', crash)] } },
      [/container berth of its agent does not run: CrashLoopBackOff: back-off 5m0s/, /is old/],
    ],
    [
      'whose agent is not ready',
      { pods: { seen: [agentPod('a'), agentPod('b', { running: {} }, false)] } },
      [/its agent runs, but is not ready/, /is old/],
    ],
    ['that has told nothing', { berthNodes: { seen: [berthNode('a')] } }, [/no BerthNode/]],
    [
      'that says so',
      { berthNodes: { seen: [berthNode('a'), berthNode('b', 'storage: no disk')] } },
      [/^storage: no disk$/],
    ],
    [
      'of another version',
      {
        nodes: { seen: ['a', 'b', 'c'].map((name) => nodeObject(name)) },
        pods: { seen: ['a', 'b', 'c'].map((name) => agentPod(name)) },
        berthNodes: { seen: [berthNode('a'), berthNode('b', undefined, '0.0.9'), berthNode('c')] },
      },
      [/of version 0\.0\.9, most are of 0\.1\.0/],
    ],
    [
      'whose kubelet is silent',
      {
        nodes: {
          seen: [
            nodeObject('a'),
            nodeObject('b', {
              status: { conditions: [{ type: 'Ready', status: 'Unknown', message: 'Kubelet stopped' }] },
            }),
          ],
        },
        berthNodes: b,
      },
      [/the Node is not ready: Kubelet stopped/],
    ],
    [
      'with an ill device',
      {
        berthNodes: {
          seen: [
            berthNode('a'),
            partly(() => ({
              devices: {
                healthy: '1/2',
                resources: [{ name: 'berth.dev/scanner', devices: 2, healthy: 1, used: 0, capacity: 2 }],
              },
            })),
          ],
        },
      },
      [/1 of 2 devices of berth\.dev\/scanner are not healthy/],
    ],
    [
      'with an ill pool',
      {
        berthNodes: {
          seen: [berthNode('a'), partly(() => ({ storage: { pools: [{ name: 'p', reason: 'PoolFull' }] } }))],
        },
      },
      [/the pool "p" is not well: PoolFull/],
    ],
    [
      'that there is not',
      { asked: ['b', 'z'], nodes: { seen: [nodeObject('a')] }, berthNodes: { seen: [] }, pods: { seen: [] } },
      [/there is no such node/],
    ],
  ])('%s', (_, change, patterns) => {
    const status = judge(sight(change));
    expect(status.well).toBe(false);
    const reasons = reasonsOf(status, 'b');
    expect(reasons).toHaveLength(patterns.length);
    patterns.forEach((pattern, index) => {
      expect(reasons[index]).toMatch(pattern);
    });
    expect(reasonsOf(status, 'a')).toEqual([]);
  });
});

describe('the cluster as a whole', () => {
  test.each<[string, Partial<Sight>, RegExp]>([
    ['has no CRD', { berthNodes: { unseen: 'absent', why: 'x' } }, /the CRD berthnodes\.berth\.dev is not there/],
    ['may not be seen', { pods: forbidden }, /agents' pods could not be seen: you may not list pods/],
    [
      'has no Berth',
      { pods: { seen: [] }, daemonSets: { seen: [] }, berthNodes: { seen: [] } },
      /Berth is not installed in this cluster/,
    ],
  ])('%s', (_, change, pattern) => {
    const status = judge(sight(change));
    expect(status.well).toBe(false);
    expect(status.notes.join('\n')).toMatch(pattern);
  });

  test('what may be seen is shown where something may not', () => {
    const { nodes, parts } = judge(sight({ pods: forbidden }));
    expect(parts.map(({ state }) => state)).toEqual(['unseen', 'well', 'well', 'well']);
    expect(nodes.map(({ state, agent, version }) => [state, agent, version])).toEqual([
      ['well', '<unknown>', '0.1.0'],
      ['well', '<unknown>', '0.1.0'],
    ]);
  });

  test('nodes for which no agent is meant are off, and nothing is wrong with them', () => {
    const windows = nodeObject('w', { metadata: { name: 'w', labels: { 'kubernetes.io/os': 'windows' } } });
    const status = judge(sight({ nodes: { seen: [nodeObject('a'), nodeObject('b'), windows] } }));
    expect(status.well).toBe(true);
    expect(status.nodes.find(({ node }) => node === 'w')).toMatchObject({
      ...{ state: 'off', reasons: ['no DaemonSet of agents is for this node'] },
    });
  });
});

test('as text: a line for each part, a row for each node, and what was not seen', () => {
  const hostile = 'no disk\u001b[31m\n';
  const status = judge(
    sight({ berthNodes: { seen: [berthNode('a'), berthNode('b', hostile)] }, daemonSets: forbidden }),
  );
  const text = statusText(status, { wide: false, noHeaders: false, paint: paintFor({ isTTY: false }, {}) });
  expect(text).not.toContain('\u001b');
  expect(text.replaceAll(/ {2,}/g, '|')).toBe(
    [
      'Agents:|OK|2 of 2 nodes, version 0.1.0',
      'Network:|NOT WELL|1 of 2 nodes, 6 pods',
      'Devices:|NOT WELL|1 of 2 nodes, 2/2 healthy, 0 of 2 shares in use',
      'Storage:|NOT WELL|1 of 2 nodes, 20Gi available, 2 volumes, 0 snapshots',
      '',
      'NODE|STATE|AGENT|VERSION|NETWORK|DEVICES|STORAGE|REASON',
      'a|OK|serves|0.1.0|3 pods|1/1|10240Mi|<none>',
      'b|NOT WELL|serves|0.1.0|3 pods|1/1|10240Mi|no disk?[31m?',
      '',
      "! the agents' DaemonSets could not be seen: you may not list pods at the cluster scope",
      '',
    ].join('\n'),
  );
});

test.each([
  [{ isTTY: true }, {}, true],
  [{ isTTY: true }, { NO_COLOR: '1' }, false],
  [{ isTTY: true }, { TERM: 'dumb' }, false],
  [{}, {}, false],
])('colour on %j with %j: %s', (stream, env, coloured) => {
  expect(paintFor(stream, env)('ill', 'x') !== 'x').toBe(coloured);
});
