// Snapshots of several volumes at one moment, by VolumeGroupSnapshot objects.
import { afterAll, beforeAll, expect, test } from 'vitest';
import { kubectl } from '../../scripts/kubectl.ts';
import { claimManifest, eventually, useScene } from './scene.ts';
import { fromClaim, volumePod } from './volumes.ts';
import type { PodVolume } from './volumes.ts';

const scene = useScene('storagegroups');
const { cluster } = scene;
const node = 'node-2';
const at = (claim: string): PodVolume => ({ name: claim, source: fromClaim(claim), path: `/${claim}` });
const labelled = (name: string): object => ({
  ...claimManifest(name, 'berth-xfs', '300Mi'),
  metadata: { name, labels: { group: 'pair' } },
});

/** Writes each number on the disk of the first volume, and then on that of the second. */
const counter =
  'i=0; while :; do i=$((i + 1)); for d in first second; do echo $i >> /$d/count; fsync /$d/count; done; done';

/** A class for the volumes of a node, as docs/claims.md has it. */
const groupClass = {
  apiVersion: 'groupsnapshot.storage.k8s.io/v1',
  kind: 'VolumeGroupSnapshotClass',
  metadata: { name: `berth-${node}`, labels: { 'snapshot.storage.kubernetes.io/managed-by': node } },
  driver: 'csi.berth.dev',
  deletionPolicy: 'Delete',
};
const group = {
  apiVersion: 'groupsnapshot.storage.k8s.io/v1',
  kind: 'VolumeGroupSnapshot',
  metadata: { name: 'pair' },
  spec: { volumeGroupSnapshotClassName: `berth-${node}`, source: { selector: { matchLabels: { group: 'pair' } } } },
};

/** One that nobody can do. */
const wrongClass = {
  ...groupClass,
  metadata: { ...groupClass.metadata, name: 'berth-wrong' },
  parameters: { reserve: 'perhaps' },
};

interface Member {
  readonly metadata: { readonly name: string };
  readonly spec: { readonly source: { readonly persistentVolumeClaimName?: string } };
  readonly status?: { readonly readyToUse?: boolean };
}

async function members(): Promise<readonly Member[]> {
  const answer = await kubectl(cluster, ['get', 'volumesnapshots', '-n', scene.namespace, '-o', 'json']);
  return (JSON.parse(answer) as { readonly items: readonly Member[] }).items;
}

beforeAll(async () => {
  const command = ['sh', '-c', `trap 'exit 0' TERM; (${counter}) & wait`];
  await scene.apply(
    groupClass,
    labelled('first'),
    labelled('second'),
    volumePod('counter', [at('first'), at('second')], { node, command }),
  );
  await scene.ready('counter');
});
afterAll(() =>
  kubectl(cluster, ['delete', 'volumegroupsnapshotclass', groupClass.metadata.name, wrongClass.metadata.name]),
);

test('what a pod writes to one volume and then to another is never in the second snapshot alone', async () => {
  await scene.apply(group);
  const ready = await eventually('both snapshots of the group to be ready', 60, async () => {
    const found = await members();
    return found.length === 2 && found.every(({ status }) => status?.readyToUse === true) ? found : undefined;
  });
  const restores = ready.map(({ metadata, spec }) => ({
    name: `restored-${spec.source.persistentVolumeClaimName ?? ''}`,
    source: { dataSource: { apiGroup: 'snapshot.storage.k8s.io', kind: 'VolumeSnapshot', name: metadata.name } },
  }));
  await scene.apply(
    ...restores.map(({ name, source }) => claimManifest(name, 'berth-xfs', '300Mi', source)),
    volumePod('reader', [at('restored-first'), at('restored-second')]),
  );
  await scene.ready('reader');
  const lines = async (claim: string): Promise<readonly number[]> =>
    (await scene.inside('reader', `cat /restored-${claim}/count`)).text.split('\n').map(Number);
  const [first, second] = [await lines('first'), await lines('second')];
  expect(first).toEqual(first.map((_, index) => index + 1));
  expect(second).toEqual(first.slice(0, second.length));
  expect(first.length - second.length).toBeLessThanOrEqual(1);
});

test('one that cannot be taken says why', async () => {
  const spec = { ...group.spec, volumeGroupSnapshotClassName: wrongClass.metadata.name };
  await scene.apply(wrongClass, { ...group, metadata: { name: 'wrong' }, spec });
  const path = '{.status.error.message}';
  const why = await eventually('the group to say why', 60, async () => {
    const args = ['get', 'volumegroupsnapshot', 'wrong', '-n', scene.namespace, '-o', `jsonpath=${path}`];
    const message = await kubectl(cluster, args);
    return message === '' ? undefined : message;
  });
  expect(why).toContain('perhaps');
  await kubectl(cluster, ['delete', 'volumegroupsnapshot', 'wrong', '-n', scene.namespace, '--wait', '--timeout=60s']);
});

test('they go together, and with the group only', async () => {
  await kubectl(cluster, ['delete', 'volumegroupsnapshot', 'pair', '-n', scene.namespace, '--wait', '--timeout=60s']);
  await eventually('every trace of the group to be gone', 60, async () => {
    const { stdout } = await cluster.nodes[1]!.exec(['find', '/var/lib/berth/pools', '-name', '[gs]1-*']);
    return stdout === '' && (await members()).length === 0 ? true : undefined;
  });
});
