import { expect, test } from 'vitest';
import { nodeStatusOf } from './nodestatus.ts';
import { noViews } from './testviews.ts';

const pool = {
  kind: 'storage' as const,
  ...{ name: 'fast', id: 'p1', engine: 'image' as const, path: '/pools/fast', size: 10 * 2 ** 30, free: 9 * 2 ** 30 },
  ...{ reserved: 2 ** 30, available: 9 * 2 ** 30 + 12_345, trash: 0, volumes: 3, snapshots: 1, reason: '' },
};
const unit = { resource: 'berth.dev/fuse', id: 'a', health: 'Healthy' as const, reason: '', replicas: 2 };
const holder = { namespace: 'default', pod: 'web', container: 'main' };

test('what a node has, in short', () => {
  const status = nodeStatusOf(
    {
      services: ['network', 'devices', 'storage'].map((name) => ({ name, reason: undefined })),
      pools: [{ kind: 'addresses', range: '10.0.0.0/24', size: 253, used: 7, free: 246, cooling: 3 }, pool],
      attachments: [{ namespace: 'default', pod: 'web', podUID: 'u' }],
      routes: (['direct', 'tunnel', 'tunnel', 'none'] as const).map((way) => ({ node: 'b', way, reason: '' })),
      devices: [
        { ...unit, holders: [holder] },
        { ...unit, id: 'b', health: 'Unhealthy', holders: [] },
      ],
      illVolumes: [],
      registrations: [{ name: 'csi.berth.dev', state: 'waiting', reason: 'no\nkubelet' }],
      findings: [
        { id: 'kernel.loop', severity: 'warning', message: 'a module', fix: 'modprobe\nloop' },
        { id: 'kernel.loop', severity: 'warning', message: 'a module', fix: 'modprobe\nloop' },
        { id: 'kubelet.root', severity: 'failure', message: 'none' },
        { id: 'cni.bin-dir', severity: 'pass', message: 'there' },
      ],
    },
    '1.2.3',
  );
  expect(status).toEqual({
    version: '1.2.3',
    conditions: [
      { type: 'Ready', status: 'True', reason: 'Serving', message: 'every plugin serves' },
      { type: 'NetworkReady', status: 'True', reason: 'Serving', message: 'the network plugin serves' },
      { type: 'DevicesReady', status: 'True', reason: 'Serving', message: 'the devices plugin serves' },
      { type: 'StorageReady', status: 'True', reason: 'Serving', message: 'the storage plugin serves' },
    ],
    network: {
      attachments: 1,
      ranges: [{ range: '10.0.0.0/24', size: 253, used: 7 }],
      routes: { direct: 1, tunnel: 2, none: 1 },
    },
    devices: {
      healthy: '1/2',
      resources: [{ name: 'berth.dev/fuse', devices: 2, healthy: 1, used: 1, capacity: 4 }],
    },
    storage: {
      ...{ available: '9215Mi', volumes: 3, snapshots: 1 },
      pools: [
        {
          ...{ name: 'fast', engine: 'image', size: '10240Mi', available: '9215Mi' },
          ...{ volumes: 3, snapshots: 1, reason: '' },
        },
      ],
    },
    registrations: [{ name: 'csi.berth.dev', state: 'waiting', reason: 'no kubelet' }],
    doctor: {
      summary: '1 failure, 1 warning',
      findings: [
        { id: 'kubelet.root', severity: 'Failure', message: 'none', fix: '' },
        { id: 'kernel.loop', severity: 'Warning', message: 'a module', fix: 'modprobe loop' },
      ],
    },
  });
});

test('what is not configured is absent', () => {
  const status = nodeStatusOf({ ...noViews, services: [{ name: 'devices', reason: undefined }] }, '1');
  expect(Object.keys(status)).toEqual(['version', 'conditions', 'devices', 'registrations', 'doctor']);
  expect(status.doctor).toEqual({ summary: 'well', findings: [] });
});

test('the first that does not serve says why, and the others are named', () => {
  const { conditions } = nodeStatusOf(
    {
      ...noViews,
      services: [
        { name: 'network', reason: undefined },
        { name: 'devices', reason: 'waits for\nthe kubelet\u001b[2J' },
        { name: 'storage', reason: 'storage: x'.repeat(200) },
      ],
    },
    '1',
  );
  expect(conditions[0]).toEqual({
    ...{ type: 'Ready', status: 'False', reason: 'DevicesNotReady' },
    message: 'waits for the kubelet [2J; also StorageNotReady',
  });
  expect(conditions[3]?.message).toHaveLength(512);
});

test('a byte that somebody writes into the pool is no news', () => {
  const of = (available: number): object =>
    nodeStatusOf({ ...noViews, services: [storage], pools: [{ ...pool, available }] }, '1');
  const storage = { name: 'storage', reason: undefined };
  expect(of(9 * 2 ** 30)).toEqual(of(9 * 2 ** 30 + 5_000_000));
  expect(of(9 * 2 ** 30)).not.toEqual(of(8 * 2 ** 30));
});

test('it stays small, whatever a node has', () => {
  const devices = Array.from({ length: 10_000 }, (_, index) => ({
    ...{ ...unit, resource: `berth.dev/${'r'.repeat(200)}${index}`, id: `${index}`, holders: [] },
  }));
  const pools = Array.from({ length: 1_000 }, (_, index) => ({ ...pool, name: `${index}`, reason: 'x'.repeat(5_000) }));
  const services = [
    { name: 'devices', reason: undefined },
    { name: 'storage', reason: undefined },
  ];
  expect(JSON.stringify(nodeStatusOf({ ...noViews, services, devices, pools }, '1')).length).toBeLessThan(100_000);
});
