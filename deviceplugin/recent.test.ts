import { status } from '@grpc/grpc-js';
import { expect, test } from 'vitest';
import { RecentCalls } from '../kit/recentcalls.ts';
import { noteCall } from './recent.ts';

function noted(method: string, request: object, code = status.OK): (readonly [string, string, string])[] {
  const calls = new RecentCalls();
  noteCall(calls, 'berth.dev/a', { service: 'v1beta1.DevicePlugin', method, request, code, seconds: 0.1 });
  return calls.list().map((call) => [call.method, call.subject, call.code] as const);
}

test.each([
  ['Allocate', { container_requests: [{ devices_ids: ['a'] }, { devices_ids: ['b', 'c'] }] }, 'berth.dev/a: a, b, c'],
  ['PreStartContainer', { devices_ids: ['a'] }, 'berth.dev/a: a'],
  ['Allocate', { container_requests: [] }, 'berth.dev/a'],
])('%s is kept with the resource and the devices', (method, request, subject) => {
  expect(noted(method, request)).toEqual([[method, subject, 'OK']]);
});

test.each(['GetDevicePluginOptions', 'GetPreferredAllocation', 'ListAndWatch'])(
  '%s is kept when it fails',
  (method) => {
    expect(noted(method, {})).toEqual([]);
    expect(noted(method, {}, status.INTERNAL)).toEqual([[method, 'berth.dev/a', 'INTERNAL']]);
  },
);
