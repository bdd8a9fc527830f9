import { expect, test } from 'vitest';
import { RecentCalls } from '../kit/recentcalls.ts';
import { noteCall } from './recent.ts';

const variables = {
  CNI_CONTAINERID: 'abcdef0123456789',
  CNI_IFNAME: 'eth0',
  CNI_ARGS: 'IgnoreUnknown=1;K8S_POD_NAMESPACE=shop;K8S_POD_NAME=web-0',
};

test.each([
  ['a pod', variables, 'shop/web-0 eth0'],
  ['a container of another runtime', { ...variables, CNI_ARGS: '' }, 'abcdef0123456 eth0'],
  ['a pod without a namespace', { ...variables, CNI_ARGS: 'K8S_POD_NAME=a=b;;' }, '/a=b eth0'],
  ['nothing', {}, ''],
])('a call about %s is kept with it', (_, told, subject) => {
  const calls = new RecentCalls();
  noteCall(calls, { op: 'ADD', variables: told, code: 11, seconds: 0.001 });
  expect(calls.list()).toMatchObject([{ method: 'ADD', subject, code: 'CNI code 11', ms: 1 }]);
});

test('STATUS is kept when it fails only', () => {
  const calls = new RecentCalls();
  noteCall(calls, { op: 'STATUS', variables: {}, code: 0, seconds: 0 });
  expect(calls.list()).toEqual([]);
  noteCall(calls, { op: 'STATUS', variables: {}, code: 50, seconds: 0 });
  expect(calls.list()).toHaveLength(1);
});
