import { pino } from 'pino';
import { beforeEach, expect, test } from 'vitest';
import type { NamespaceSighting } from '../linux/netns.ts';
import type { LinkState } from '../linux/rtnetlink/rtnetlink.ts';
import { hostLinkName, keyText, linkAlias, linkGroup, queueLinkName } from './attachment.ts';
import type { Attachment } from './attachment.ts';
import { Reaper } from './reaper.ts';
import type { AttachmentKey } from './request.ts';

let attachments: Attachment[] = [];
let links: LinkState[] = [];
let sighting: NamespaceSighting = 'gone';
let done: string[] = [];
let failing = false;

const key: AttachmentKey = { containerID: 'a', ifname: 'eth0' };
const attachment: Attachment = {
  ...key,
  network: 'berth',
  netns: { path: '/run/netns/a', identity: '4:5' },
  addresses: ['10.1.0.2'],
  host: { name: hostLinkName(key), index: 7, mac: '02:00:00:00:00:01' },
  sandbox: { name: 'eth0', index: 8, mac: '02:00:00:00:00:02' },
  mtu: 1500,
  state: 'active',
  since: 0,
};
const link: LinkState = {
  index: 7,
  name: hostLinkName(key),
  mac: '02:00:00:00:00:01',
  mtu: 1500,
  group: linkGroup,
  alias: linkAlias(key),
  up: true,
  kind: 'veth',
};

beforeEach(() => {
  [attachments, links, done] = [[], [], []];
  sighting = 'gone';
  failing = false;
});

function reaper(spared: readonly string[] = []): Reaper {
  return new Reaper({
    attachments: () => attachments,
    look: () => sighting,
    links: () => (failing ? Promise.reject(new Error('no buffer space')) : Promise.resolve(links)),
    release: (one) => {
      done.push(`attachment ${keyText(one)}`);
      attachments = [];
      return Promise.resolve(true);
    },
    removeLinks: (one) => {
      done.push(`links ${keyText(one)}`);
      links = [];
      return Promise.resolve(true);
    },
    spared: new Set(spared),
    count: (what) => done.push(`counted ${what}`),
    log: pino({ level: 'silent' }),
  });
}

test('an attachment without namespace and link is released when two looks have seen it', async () => {
  attachments = [attachment];
  const one = reaper();
  await one.look();
  expect(done).toEqual([]);
  await one.look();
  expect(done).toEqual(['attachment a/eth0', 'counted attachment']);
  await one.look();
  expect(done).toHaveLength(2);
});

test('so is one whose namespace was replaced by another', async () => {
  attachments = [attachment];
  sighting = { identity: '4:6' };
  const one = reaper();
  await one.look();
  await one.look();
  expect(done[0]).toBe('attachment a/eth0');
});

test('so is one of which only the queue before its limit is left, which does not go with the namespace', async () => {
  attachments = [attachment];
  links = [{ ...link, name: queueLinkName(key), index: 9, kind: 'ifb' }];
  const one = reaper();
  await one.look();
  await one.look();
  expect(done[0]).toBe('attachment a/eth0');
});

test.each<[string, () => void]>([
  ['has its link', () => (links = [link])],
  ['has its namespace', () => (sighting = { identity: '4:5' })],
  ['has a namespace that cannot be seen', () => (sighting = 'unseen')],
])('an attachment that %s stays', async (_what, arrange) => {
  attachments = [attachment];
  arrange();
  const one = reaper();
  for (let look = 0; look < 3; look++) await one.look();
  expect(done).toEqual([]);
});

test('one that was attached anew between two looks begins anew', async () => {
  attachments = [attachment];
  const one = reaper();
  await one.look();
  attachments = [{ ...attachment, since: 1 }];
  await one.look();
  expect(done).toEqual([]);
});

test('a link of ours that nobody owns is removed when two looks have seen it', async () => {
  links = [link];
  const one = reaper();
  await one.look();
  expect(done).toEqual([]);
  await one.look();
  expect(done).toEqual(['links a/eth0', 'counted link']);
});

test.each<[string, LinkState, string[]]>([
  ['of another group', { ...link, group: 0 }, []],
  ['with the alias of something else', { ...link, alias: 'mine' }, []],
  ['with a name that is not that of its key', { ...link, name: 'veth00000000000' }, []],
  ['whose record cannot be read', link, [link.alias]],
])('a link %s stays', async (_what, other, spared) => {
  links = [other];
  const one = reaper(spared);
  for (let look = 0; look < 3; look++) await one.look();
  expect(done).toEqual([]);
});

test('a link that was made anew between two looks begins anew, and one that gets its record stays', async () => {
  links = [link];
  const one = reaper();
  await one.look();
  links = [{ ...link, index: 9 }];
  await one.look();
  attachments = [attachment];
  await one.look();
  expect(done).toEqual([]);
});

test('a kernel that does not answer is asked again', async () => {
  attachments = [attachment];
  const one = reaper();
  await one.look();
  failing = true;
  await one.look();
  failing = false;
  await one.look();
  expect(done).toEqual(['attachment a/eth0', 'counted attachment']);
});
