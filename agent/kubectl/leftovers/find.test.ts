import { expect, test } from 'vitest';
import type { PodObject } from '../objects.ts';
import { agentPod, nodeObject } from '../testobjects.ts';
import { leftoversOf } from './find.ts';
import type { LeftoverSight } from './find.ts';
import { sorts } from './sorts.ts';

const none = { seen: [] };
const clean: LeftoverSight = { sorts: [], nodes: none, agents: none, removers: none };

function sort(kind: string): (typeof sorts)[number] {
  const found = sorts.find((each) => each.kind.startsWith(kind));
  if (found === undefined) throw new Error(`there is no sort ${kind}`);
  return found;
}

function remover(ready: boolean, state: object, lastState: object = {}): PodObject {
  return {
    metadata: { name: 'berth-uninstall-x' },
    spec: { nodeName: 'a' },
    status: {
      conditions: [{ type: 'Ready', status: ready ? 'True' : 'False' }],
      initContainerStatuses: [{ name: 'uninstall', state, lastState }],
    },
  };
}

/** Of an init container that has ended with these words. */
const ended = (message: string): object => ({ terminated: { message } });

test('nothing is left of nothing', () => {
  expect(leftoversOf(clean)).toEqual({ found: [], unseen: [] });
});

test('only what is of Berth is told, with how it goes away', () => {
  const csi = (driver: string, name: string): object => ({ metadata: { name }, spec: { csi: { driver } } });
  const labels = { 'app.kubernetes.io/name': 'berth' };
  const capacity = {
    name: 'c',
    namespace: 'berth-system',
    labels: { 'csi.storage.k8s.io/drivername': 'csi.berth.dev' },
  };
  const objects: [string, object[]][] = [
    ['persistentvolumes', [csi('csi.berth.dev', 'pvc-1'), csi('other.example', 'pvc-2')]],
    ['storageclasses', [{ metadata: { name: 'mine' }, provisioner: 'csi.berth.dev' }, { metadata: { name: 'other' } }]],
    ['csistoragecapacities', [{ metadata: capacity }]],
    [
      'customresourcedefinitions',
      [{ metadata: { name: 'berthnodes.berth.dev' } }, { metadata: { name: 'x.berth.example' } }],
    ],
    ['clusterroles', [{ metadata: { name: 'berth-agent', labels } }, { metadata: { name: 'view' } }]],
    ['namespaces', [{ metadata: { name: 'berth-system' } }, { metadata: { name: 'berth' } }]],
  ];
  const { found } = leftoversOf({
    ...clean,
    sorts: objects.map(([kind, seen]) => ({ sort: sort(kind), objects: { seen: seen as never } })),
  });
  expect(found.map(({ what, remedy }) => `${what}: ${remedy}`)).toEqual([
    expect.stringMatching(/^persistentvolume\/pvc-1: .*kubectl delete pv pvc-1/),
    'storageclass/mine: kubectl delete storageclasses.storage.k8s.io mine',
    'csistoragecapacity/c: kubectl delete csistoragecapacity -n berth-system c',
    'customresourcedefinition/berthnodes.berth.dev: kubectl delete customresourcedefinitions.apiextensions.k8s.io berthnodes.berth.dev',
    'clusterrole/berth-agent: kubectl delete clusterroles.rbac.authorization.k8s.io berth-agent',
    'namespace/berth-system: kubectl delete namespaces berth-system',
  ]);
});

test('what nodes keep: taints, conditions, labels, resources', () => {
  const node = nodeObject('a', {
    spec: {
      taints: [
        { key: 'berth.dev/agent-not-ready', effect: 'NoExecute' },
        { key: 'other', effect: 'NoSchedule' },
      ],
    },
    status: {
      conditions: [{ type: 'NetworkUnavailable', status: 'False', reason: 'BerthNetworkReady' }],
      capacity: { 'berth.dev/fuse': '2', 'berth.dev/gone': '0', cpu: '4' },
    },
  });
  const { found } = leftoversOf({ ...clean, nodes: { seen: [node] }, removers: { seen: [remover(true, ended(''))] } });
  expect(found.map(({ text }) => text)).toEqual([
    'the taint berth.dev/agent-not-ready:NoExecute',
    'the condition NetworkUnavailable=False (BerthNetworkReady)',
    'the label csi.berth.dev/node',
    'the resource berth.dev/fuse: 2',
  ]);
  expect(found[0]?.remedy).toBe('kubectl taint node a berth.dev/agent-not-ready-');
});

const bare = { metadata: { name: 'a' } };
test.each<[string, Partial<LeftoverSight>, readonly RegExp[], readonly RegExp[]]>([
  ['an agent runs', { agents: { seen: [agentPod('a')] } }, [/an agent that runs/], []],
  ['nobody can look', {}, [], [/a could not be looked at/]],
  ['the network was removed', { removers: { seen: [remover(true, ended(''))] } }, [], []],
  [
    'the network is not yet removed',
    { removers: { seen: [remover(false, ended('pods still run'))] } },
    [/pods still run/],
    [],
  ],
  [
    'it was not, and will be tried again',
    {
      removers: {
        seen: [remover(false, { waiting: { message: 'back-off 10s restarting' } }, ended('pods still run'))],
      },
    },
    [/not removed it: pods still run/],
    [],
  ],
  ['it is being removed', { removers: { seen: [remover(false, { running: {} })] } }, [/it is at work/], []],
  [
    'nodes may not be seen',
    { nodes: { unseen: 'forbidden', why: 'you may not' } },
    [],
    [/Nodes could not be seen: you may not/],
  ],
  [
    'a kind is not known, which has no objects',
    {
      removers: { seen: [remover(true, ended(''))] },
      sorts: [{ sort: sort('berthnodes'), objects: { unseen: 'absent', why: 'x' } }],
    },
    [],
    [],
  ],
])('where %s', (_, change, left, blind) => {
  const { found, unseen } = leftoversOf({ ...clean, nodes: { seen: [bare] }, ...change });
  expect(found.map(({ text }) => text)).toEqual(left.map((pattern) => expect.stringMatching(pattern) as string));
  expect(unseen).toEqual(blind.map((pattern) => expect.stringMatching(pattern) as string));
});

test('what is kept on a node is told with what removes it, and no line leads elsewhere', () => {
  const message = [
    'kept /var/lib/berth/pools/default: 2 volumes, 1 snapshot',
    'kept /run/berth/storage: what volumes are in use; ends with the boot',
    'kept /var/lib/berth/../kubelet: everything',
    'kept /var/lib/berth: everything',
    'kept /etc: everything',
    'kept /var/lib/berth/x; reboot: nothing',
    'kept /var/lib/berth/$(reboot): nothing',
  ].join('\n');
  const { found } = leftoversOf({
    ...clean,
    nodes: { seen: [bare] },
    removers: { seen: [remover(true, ended(message))] },
  });
  expect(found.map(({ what, text, remedy }) => `${what} ${text} → ${remedy.replace(/.*: /, '')}`)).toEqual([
    'node/a /var/lib/berth/pools/default: 2 volumes, 1 snapshot → rm -rf /var/lib/berth/pools/default',
    'node/a /run/berth/storage: what volumes are in use; ends with the boot → rm -rf /run/berth/storage',
  ]);
});
