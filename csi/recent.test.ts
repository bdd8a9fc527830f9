import { status } from '@grpc/grpc-js';
import { expect, test } from 'vitest';
import { RecentCalls } from '../kit/recentcalls.ts';
import { noteCall } from './recent.ts';

const secret = { secrets: { key: 'secret' }, volume_context: { token: 'secret' }, parameters: { key: 'secret' } };

function noted(method: string, request: object, code = status.OK): [string, string, string][] {
  const calls = new RecentCalls();
  noteCall(calls, { service: 'csi.v1.Node', method, request: { ...request, ...secret }, code, seconds: 0.1 });
  expect(JSON.stringify(calls.list())).not.toContain('secret');
  return calls.list().map((call) => [call.method, call.subject, call.code]);
}

test.each([
  ['CreateVolume', { name: 'pvc-1' }, 'pvc-1'],
  ['NodePublishVolume', { volume_id: 'v1-a-b', target_path: '/x' }, 'v1-a-b'],
  ['CreateSnapshot', { name: 'snapshot-1', source_volume_id: 'v1-a-b' }, 'snapshot-1'],
  ['DeleteSnapshot', { snapshot_id: 's1-a-b' }, 's1-a-b'],
  ['DeleteVolumeGroupSnapshot', { group_snapshot_id: 'g1-a', snapshot_ids: ['s1'] }, 'g1-a'],
  ['NodeUnstageVolume', {}, ''],
])('%s is kept with what it is about', (method, request, subject) => {
  expect(noted(method, request)).toEqual([[method, subject, 'OK']]);
});

test.each([
  'Probe',
  'GetCapacity',
  'NodeGetVolumeStats',
  'ListVolumes',
  'GetPluginInfo',
  'ControllerGetVolume',
  'GroupControllerGetCapabilities',
])('%s only asks, and is kept when it fails', (method) => {
  expect(noted(method, { volume_id: 'v' })).toEqual([]);
  expect(noted(method, { volume_id: 'v' }, status.UNAVAILABLE)).toEqual([[method, 'v', 'UNAVAILABLE']]);
});
