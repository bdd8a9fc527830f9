// What the token of an agent is good for in the hands of a thief: its own node, and there only what the agent does.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { berthNamespace } from '../../scripts/deploy.ts';
import { kubectl } from '../../scripts/kubectl.ts';
import { busybox, claimManifest, eventually, podManifest, useScene } from './scene.ts';
import { snapshotManifest, snapshotReady } from './snapshots.ts';
import { stealToken } from './thief.ts';
import type { Answer, Thief } from './thief.ts';

const scene = useScene('policies');
const { cluster } = scene;

let thief: Thief;

beforeAll(async () => {
  thief = await stealToken(cluster, 'node-1');
  const near = podManifest('near', { node: 'node-1', claims: { '/data': 'near' } });
  const far = podManifest('far', { node: 'node-2', claims: { '/data': 'far' } });
  await scene.apply(claimManifest('near', 'berth-ext4', '64Mi'), claimManifest('far', 'berth-ext4', '64Mi'), near, far);
  await Promise.all([scene.ready('near'), scene.ready('far')]);
});
afterAll(() => {
  thief.forget();
});

async function volumeOf(claim: string): Promise<string> {
  const path = ['-o', 'jsonpath={.spec.volumeName}'];
  return (await kubectl(cluster, ['get', 'pvc', claim, '-n', scene.namespace, ...path])).trim();
}

function expectRefused({ code, stderr }: Answer, policy: string, sentence: RegExp): void {
  expect(stderr).toMatch(sentence);
  expect(stderr).toContain(`ValidatingAdmissionPolicy '${policy}'`);
  expect(code).toBe(1);
}

function condition(type: string): object {
  const time = new Date().toISOString();
  const told = { reason: 'Test', message: 'by a test', lastHeartbeatTime: time, lastTransitionTime: time };
  return { type, status: 'False', ...told };
}

/** Merged into the others by its type, as the agent does it. */
const tell = (type: string): object => ({ status: { conditions: [condition(type)] } });

describe('about Nodes', () => {
  test('it says of its own node whether it has a network', async () => {
    const { code, stderr } = await thief.patchNodeStatus('node-1', tell('NetworkUnavailable'));
    expect([code, stderr]).toEqual([0, '']);
  });

  test('it says nothing of another', async () => {
    const answer = await thief.patchNodeStatus('node-2', tell('NetworkUnavailable'));
    expectRefused(answer, 'berth-nodes', /only about its own node \(node-1\), not about node-2/);
  });

  test.each<[string, object]>([
    ['another condition', tell('DiskPressure2')],
    ['capacity', { status: { capacity: { 'nvidia.com/gpu': '8' } } }],
    ['an address', { status: { addresses: [{ type: 'InternalIP', address: '198.51.100.1' }] } }],
    ['a label', { metadata: { labels: { 'node-role.kubernetes.io/control-plane': '' } } }],
    ['an annotation', { metadata: { annotations: { thief: 'was here' } } }],
    ['a finalizer', { metadata: { finalizers: ['thief/stays'] } }],
  ])('it gives its own node no %s', async (_what, patch) => {
    const answer = await thief.patchNodeStatus('node-1', patch);
    expectRefused(answer, 'berth-nodes', /nothing of a Node but its condition NetworkUnavailable/);
  });
});

describe('about volumes', () => {
  test('it deletes none of another node, nor one that is not of Berth', async () => {
    const foreign = { driver: 'other.example', volumeHandle: 'x' };
    const spec = { capacity: { storage: '1Gi' }, accessModes: ['ReadWriteOnce'], csi: foreign };
    const other = { apiVersion: 'v1', kind: 'PersistentVolume', metadata: { name: 'policies-foreign' }, spec };
    await kubectl(cluster, ['create', '-f', '-'], { stdin: JSON.stringify(other) });
    try {
      const dry = ['--dry-run=server', '--wait=false'];
      expectRefused(
        await thief.kubectl(['delete', 'pv', await volumeOf('far'), ...dry]),
        'berth-volumes',
        /deletes only volumes of its own node \(node-1\)/,
      );
      expectRefused(
        await thief.kubectl(['delete', 'pv', 'policies-foreign', ...dry]),
        'berth-volumes',
        /only volumes of csi.berth.dev/,
      );
      expect((await thief.kubectl(['delete', 'pv', await volumeOf('near'), ...dry])).code).toBe(0);
    } finally {
      await kubectl(cluster, ['delete', 'pv', 'policies-foreign']);
    }
  });

  test('it makes none on another node', async () => {
    const found = await kubectl(cluster, ['get', 'pv', await volumeOf('far'), '-o', 'json']);
    const { spec } = JSON.parse(found) as { readonly spec: object };
    const made = { apiVersion: 'v1', kind: 'PersistentVolume', metadata: { name: 'policies-made' }, spec };
    const answer = await thief.kubectl(['create', '--dry-run=server', '-f', '-'], {
      stdin: JSON.stringify({ ...made, spec: { ...spec, claimRef: null } }),
    });
    expectRefused(answer, 'berth-volumes', /makes and deletes only volumes of its own node/);
  });

  test('it may enlarge any, as the one csi-resizer does, and changes nothing else of them', async () => {
    const volume = ['pv', await volumeOf('far'), '--dry-run=server'];
    expect((await thief.patch(volume, { spec: { capacity: { storage: '65Mi' } } })).code).toBe(0);
    for (const change of [
      { spec: { persistentVolumeReclaimPolicy: 'Retain' } },
      { spec: { mountOptions: ['suid'] } },
      { metadata: { labels: { thief: '' } } },
    ])
      expectRefused(await thief.patch(volume, change), 'berth-volumes', /nothing of a volume but its size/);
  });

  test('it tells the capacity of no other node', async () => {
    const list = ['get', 'csistoragecapacities', '-n', berthNamespace, '-o', 'json'];
    interface Capacity {
      readonly metadata: { readonly name: string };
      readonly nodeTopology: { readonly matchLabels: Readonly<Record<string, string>> };
    }
    const { items } = await eventually('capacities of both nodes', 60, async () => {
      const found = JSON.parse(await kubectl(cluster, list)) as { readonly items: readonly Capacity[] };
      return found.items.length >= 2 ? found : undefined;
    });
    const own = await kubectl(cluster, [
      'get',
      'node',
      'node-1',
      '-o',
      'jsonpath={.metadata.labels.csi\\.berth\\.dev/node}',
    ]);
    const isOwn = ({ nodeTopology }: Capacity): boolean => nodeTopology.matchLabels['csi.berth.dev/node'] === own;
    const remove = ['delete', 'csistoragecapacity', '-n', berthNamespace, '--dry-run=server', '--wait=false'];
    const other = items.find((each) => !isOwn(each))!.metadata.name;
    expectRefused(
      await thief.kubectl([...remove, other]),
      'berth-volumes',
      /only the capacity of its own node \(node-1\)/,
    );
    expect((await thief.kubectl([...remove, items.find(isOwn)!.metadata.name])).code).toBe(0);
  });
});

test('about snapshots it writes only where they are of its own node, and not where they come from', async () => {
  await scene.apply(snapshotManifest('near', 'near'), snapshotManifest('far', 'far'));
  const contentOf = async (name: string): Promise<string[]> => {
    await snapshotReady(scene, name);
    const path = ['-o', 'jsonpath={.status.boundVolumeSnapshotContentName}'];
    const content = await kubectl(cluster, ['get', 'volumesnapshot', name, '-n', scene.namespace, ...path]);
    return ['volumesnapshotcontent', content.trim(), '--dry-run=server'];
  };
  const mark = { metadata: { annotations: { mark: 'x' } } };
  const [near, far] = [await contentOf('near'), await contentOf('far')];
  expect((await thief.patch(near, mark)).code).toBe(0);
  expectRefused(await thief.patch(far, mark), 'berth-snapshots', /only about snapshots of its own node \(node-1\)/);
  const keeping = { spec: { deletionPolicy: 'Retain' } };
  expectRefused(await thief.patch(near, keeping), 'berth-snapshots', /nor what becomes of it/);
});

describe('about claims', () => {
  const far = ['pvc', 'far', '-n', scene.namespace, '--dry-run=server'];

  test.each<[string, object, RegExp]>([
    ['what it asks for', { spec: { resources: { requests: { storage: '1Gi' } } } }, /nor changes what they ask for/],
    ['its labels', { metadata: { labels: { thief: '' } } }, /nothing of a claim but its own marks/],
    ['its finalizers', { metadata: { finalizers: null } }, /nothing of a claim but its own marks/],
    [
      'the node that was chosen for it',
      { metadata: { annotations: { 'volume.kubernetes.io/selected-node': null } } },
      /takes only its own node \(node-1\) from a claim/,
    ],
  ])('it changes not %s', async (_what, patch, sentence) => {
    // RBAC gives no patch: as csi-provisioner does, the whole is written back.
    const found = await kubectl(cluster, ['get', 'pvc', 'far', '-n', scene.namespace, '-o', 'json']);
    const local = ['patch', '--local', '-f', '-', '--type=merge', '-o', 'json', '--patch', JSON.stringify(patch)];
    const changed = await kubectl(cluster, local, { stdin: found });
    const answer = await thief.kubectl(['replace', '--dry-run=server', '-f', '-'], {
      stdin: changed,
    });
    expectRefused(answer, 'berth-claims', sentence);
  });

  test('it takes its own node off', async () => {
    const found = await kubectl(cluster, ['get', 'pvc', 'near', '-n', scene.namespace, '-o', 'json']);
    const claim = JSON.parse(found) as { readonly metadata: { readonly annotations: Record<string, string> } };
    expect(claim.metadata.annotations['volume.kubernetes.io/selected-node']).toBe('node-1');
    const annotations = { ...claim.metadata.annotations };
    delete annotations['volume.kubernetes.io/selected-node'];
    const answer = await thief.kubectl(['replace', '--dry-run=server', '-f', '-'], {
      stdin: JSON.stringify({ ...claim, metadata: { ...claim.metadata, annotations } }),
    });
    expect([answer.code, answer.stderr]).toEqual([0, '']);
  });

  test('a claim of somebody else, and a pod, are not made by it', async () => {
    const pod = { apiVersion: 'v1', kind: 'Pod', metadata: { name: 'thief', namespace: scene.namespace } };
    const spec = { containers: [{ name: 'main', image: busybox }] };
    const answer = await thief.kubectl(['create', '-f', '-'], {
      stdin: JSON.stringify({ ...pod, spec }),
    });
    expect(answer.stderr).toMatch(/Forbidden|forbidden/);
    expect((await thief.kubectl(['delete', ...far.slice(0, 4)])).stderr).toMatch(/forbidden/);
  });
});
