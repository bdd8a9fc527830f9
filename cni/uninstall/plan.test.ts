import { expect, test } from 'vitest';
import type { LinkState } from '../../linux/rtnetlink/rtnetlink.ts';
import { doomedGroup, linkGroup, tunnelGroup } from '../attachment.ts';
import { describeRemoval, obstacles, planUninstall } from './plan.ts';
import type { Installed } from './plan.ts';

const nothing: Installed = { agentRuns: false, attachments: 0, links: [], routes: [], hasTable: false, paths: [] };

function link(change: Partial<LinkState>): LinkState {
  return { index: 7, name: 'eth0', mac: '', mtu: 1500, group: 0, alias: '', up: true, kind: 'veth', ...change };
}

function planned(change: Partial<Installed>): readonly string[] {
  return planUninstall({ ...nothing, ...change }, 'berth').map(describeRemoval);
}

test.each<[string, Partial<LinkState>, readonly string[]]>([
  [
    'a link of a pod, by its alias',
    { group: linkGroup, alias: 'berth:c1/eth0', name: 'x' },
    ['link x of container c1'],
  ],
  ['one made a moment ago, by its name', { group: linkGroup, name: 'veth0123456789a' }, ['link veth0123456789a']],
  ['a queue', { group: linkGroup, kind: 'ifb', name: 'ifb0123456789a' }, ['link ifb0123456789a']],
  ['one that was being removed', { group: doomedGroup, name: 'veth0123456789a' }, ['link veth0123456789a']],
  ['the tunnel', { group: tunnelGroup, kind: 'vxlan', name: 'berth-vxlan' }, ['link berth-vxlan']],
  ["somebody's with our name", { name: 'veth0123456789a' }, []],
  ["somebody's with our alias", { alias: 'berth:c1/eth0' }, []],
  ["somebody's with our group's number", { group: linkGroup, name: 'veth0', alias: 'mine' }, []],
  ["somebody's with the tunnel's name", { kind: 'vxlan', name: 'berth-vxlan' }, []],
  ["somebody's with the tunnel's number", { group: tunnelGroup, kind: 'vxlan', name: 'vxlan0' }, []],
  ['a bridge in our group', { group: linkGroup, kind: 'bridge', name: 'veth0123456789a' }, []],
])('of links: %s', (_what, change, expected) => {
  expect(planned({ links: [link(change)] })).toEqual(expected);
});

test('of routes only our own, and none that goes with its link', () => {
  const route = { index: 2, metric: 0, protocol: 98 };
  expect(
    planned({
      links: [link({ index: 2, name: 'uplink' }), link({ group: linkGroup, alias: 'berth:c1/eth0', name: 'x' })],
      routes: [
        { ...route, destination: '10.1.1.0/24', via: '192.0.2.3' },
        { ...route, destination: '10.1.2.0/24', via: '192.0.2.3', protocol: 99 },
        { index: 2, metric: 0, destination: '10.1.3.0/24' },
        { ...route, destination: '10.1.0.2/32', index: 7 },
      ],
    }),
  ).toEqual(['link x of container c1', 'route 10.1.1.0/24 via 192.0.2.3 dev uplink']);
});

test('the configuration list goes first and the table last', () => {
  const paths = ['/etc/cni/net.d/05-berth.conflist', '/run/berth/attachments'];
  const links = [link({ group: linkGroup, alias: 'berth:c1/eth0' })];
  expect(planned({ paths, links, hasTable: true })).toEqual([
    ...paths,
    'link eth0 of container c1',
    'nft table inet berth',
  ]);
});

test.each([
  [{ agentRuns: true }, false, [/delete the DaemonSet first/]],
  [{ agentRuns: true }, true, [/delete the DaemonSet first/]],
  [{ attachments: 3 }, false, [/^3 containers .*--force/]],
  [{ attachments: 3 }, true, []],
  [{ agentRuns: true, attachments: 1 }, false, [/DaemonSet/, /--force/]],
  [{}, false, []],
] as const)('%j with force %s is refused for %j', (change, force, expected) => {
  const refusals = obstacles({ ...nothing, ...change }, force);
  expect(refusals).toHaveLength(expected.length);
  for (const [at, pattern] of expected.entries()) expect(refusals[at]).toMatch(pattern);
});
