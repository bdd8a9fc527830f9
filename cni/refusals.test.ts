import { expect, test } from 'vitest';
import { FakeNetwork } from '../linux/rtnetlink/fake.ts';
import { RouteError } from '../linux/rtnetlink/rtnetlink.ts';
import type { LinkState } from '../linux/rtnetlink/rtnetlink.ts';
import { hostLinkName, macOf } from './attachment.ts';
import type { Attachment } from './attachment.ts';
import { explainRefusal, refusalOf } from './refusals.ts';
import type { Namesakes } from './refusals.ts';

const key = { containerID: 'c1', ifname: 'eth0' };
const attachment: Attachment = {
  ...key,
  network: 'berth',
  netns: { path: '/run/netns/one', identity: '4:5' },
  addresses: ['10.1.0.2'],
  host: { name: hostLinkName(key), index: 1_048_577, mac: macOf(key, 'host') },
  sandbox: { name: 'eth0', index: 1_048_578, mac: macOf(key, 'sandbox') },
  mtu: 1400,
  state: 'reserved',
  since: 1,
};

function link(name: string): LinkState {
  return { index: 7, name, mac: '02:00:00:00:00:07', mtu: 1500, group: 0, alias: '', up: true, kind: 'veth' };
}

const pair = new RouteError('EEXIST', 'File exists', {
  op: 'create-veth',
  ...attachment.host,
  mtu: 1400,
  group: 1,
  peer: {
    ...attachment.sandbox,
    mtu: 1400,
    namespace: { path: '/run/netns/one', fd: 9, identity: '4:5', close: () => undefined },
  },
});

test.each<[string, Partial<Namesakes>, number, string]>([
  ["the node's end is", { onNode: link(attachment.host.name) }, 5, `the node has a link ${attachment.host.name}`],
  ["the pod's end is", { inPod: link('eth0') }, 4, '/run/netns/one has an interface eth0 that berth did not make'],
  ['neither end is, so that it was an index', {}, 11, 'the next ADD picks others'],
])('of a pair whose name is taken it is said whose: that of %s', (_which, found, code, sentence) => {
  expect(refusalOf(pair, attachment, { onNode: undefined, inPod: undefined, ...found })).toMatchObject({
    cniCode: code,
    message: expect.stringContaining(sentence) as string,
    cause: pair,
  });
});

test.each([
  ['another error of the kernel', new RouteError('ENOBUFS', 'No buffer space available', pair.request)],
  ['an error of another kind', new Error('EEXIST')],
])('%s stays what it is, and nothing is looked for', async (_what, error) => {
  const open = (): never => {
    throw new Error('not asked for');
  };
  expect(await explainRefusal(error, attachment, new FakeNetwork().open(), open)).toBe(error);
});
