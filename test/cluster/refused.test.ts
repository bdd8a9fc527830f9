import { afterEach, describe, expect, test } from 'vitest';
import { claimManifest, podManifest, useScene } from './scene.ts';

const scene = useScene('refused');

/** A manifest that cannot work, and where a Kubernetes user finds the reason. */
interface Case {
  readonly title: string;
  readonly objects: readonly object[];
  readonly where: readonly [kind: string, name: string];
  readonly says: RegExp;
}

const storageClass = {
  apiVersion: 'storage.k8s.io/v1',
  kind: 'StorageClass',
  metadata: { name: 'berth-test-ntfs' },
  provisioner: 'csi.berth.dev',
  volumeBindingMode: 'WaitForFirstConsumer',
  parameters: { 'csi.storage.k8s.io/fstype': 'ntfs' },
};

const cases: readonly Case[] = [
  {
    title: 'a resource that no node has',
    objects: [podManifest('pod', { limits: { 'berth.dev/camera': 1 } })],
    where: ['Pod', 'pod'],
    says: /Insufficient berth\.dev\/camera/,
  },
  {
    title: 'a storage class that does not exist',
    objects: [claimManifest('claim', 'berth-zfs', '64Mi'), podManifest('pod', { claims: { '/data': 'claim' } })],
    where: ['PersistentVolumeClaim', 'claim'],
    says: /"berth-zfs" not found/,
  },
  {
    title: 'a filesystem that Berth does not make',
    objects: [
      storageClass,
      claimManifest('claim', 'berth-test-ntfs', '64Mi'),
      podManifest('pod', { claims: { '/data': 'claim' } }),
    ],
    where: ['PersistentVolumeClaim', 'claim'],
    says: /ntfs/,
  },
  {
    title: 'a claim larger than the pool of any node',
    objects: [claimManifest('claim', 'berth-xfs', '900Ti'), podManifest('pod', { claims: { '/data': 'claim' } })],
    where: ['Pod', 'pod'],
    says: /did not have enough free storage/,
  },
  {
    title: 'an xfs claim smaller than xfs can be',
    objects: [
      claimManifest('claim', 'berth-ext4', '64Mi'),
      claimManifest('small', 'berth-xfs', '1Mi'),
      podManifest('pod', { claims: { '/data': 'small' } }),
    ],
    where: ['PersistentVolumeClaim', 'small'],
    says: /300/,
  },
  {
    title: 'an image that is not on the node',
    objects: [podManifest('pod', { image: 'localhost/absent:1' })],
    where: ['Pod', 'pod'],
    says: /localhost\/absent:1/,
  },
];

describe('what cannot work says why where Kubernetes users look:', () => {
  afterEach(async () => {
    await scene.remove('pod', '--all');
    await scene.remove('pvc', '--all');
    await scene.cluster.kubectl(['delete', 'storageclass', 'berth-test-ntfs', '--ignore-not-found']);
  });

  test.each(cases)('$title', async ({ objects, where: [kind, name], says }) => {
    await scene.apply(...objects);
    expect(await scene.event(kind, name, says)).toMatch(says);
  });
});
