import { expect, test } from 'vitest';
import { BerthError } from '../../kit/errors.ts';
import { getObject, listObjects, whyUnseen } from './seen.ts';

const ran = (stdout: string) => () => Promise.resolve({ code: 0, stdout, stderr: '' });

test.each([
  [
    'Error from server (Forbidden): nodes is forbidden: User "u" cannot list resource "nodes" in API group "" at the cluster scope',
    { unseen: 'forbidden', why: 'you may not list nodes at the cluster scope' },
  ],
  [
    'Error from server (Forbidden): pods is forbidden: User "u" cannot list resource "pods" in API group "" in the namespace "berth-system"',
    { unseen: 'forbidden', why: 'you may not list pods in the namespace berth-system' },
  ],
  [
    'Error from server (Forbidden): x is forbidden: User "u" cannot list resource "berthnodes" in API group "berth.dev" at the cluster scope',
    { unseen: 'forbidden', why: 'you may not list berthnodes.berth.dev at the cluster scope' },
  ],
  [
    'error: the server doesn\'t have a resource type "berthnodes"',
    { unseen: 'absent', why: 'this cluster has no ships' },
  ],
  ['Error from server: etcd is \u001b[31mred', { unseen: 'failed', why: 'Error from server: etcd is ?[31mred' }],
])('%s', (stderr, unseen) => {
  expect(whyUnseen('ships', stderr)).toEqual(unseen);
});

test.each([
  'The connection to the server localhost:8080 was refused - did you specify the right host or port?',
  'error: context "nope" does not exist',
  'Error in configuration: context was not found for specified context: nope',
  'Unable to connect to the server: dial tcp: lookup nowhere: no such host',
  'error: You must be logged in to the server (Unauthorized)',
])('without a cluster nothing goes on: %s', (stderr) => {
  expect(() => whyUnseen('nodes', stderr)).toThrow(BerthError);
});

test('an empty answer is no object, and a list of none', async () => {
  expect(await getObject(ran(''), ['pods', 'x'])).toEqual({ seen: undefined });
  expect(await listObjects(ran(''), ['pods'])).toEqual({ seen: [] });
  expect(await listObjects(ran('{"items":[{"a":1}]}'), ['pods'])).toEqual({ seen: [{ a: 1 }] });
  expect(await listObjects(ran('not JSON'), ['pods'])).toMatchObject({ unseen: 'failed' });
});
