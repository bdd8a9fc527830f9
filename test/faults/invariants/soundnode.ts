/** Two nodes on which every invariant holds, for tests that plant one violation each: a near and a far one to look at node-1 from. */
import { hostLinkName, linkAlias, linkGroup, queueLinkName, recordName, tunnelGroup } from '../../../cni/attachment.ts';
import type { Attachment } from '../../../cni/attachment.ts';
import { tunnelName } from '../../../cni/nodes/tunnel.ts';
import type { LinkState, NodeNetwork, NodeObject } from './nodestate.ts';

const key = { containerID: 'c1', ifname: 'eth0' };
const [host, queue] = [hostLinkName(key), queueLinkName(key)];

/** With a port of the node and limits both ways. */
export const attachment: Attachment = {
  ...key,
  network: 'berth',
  netns: { path: '/var/run/netns/one', identity: '4:100' },
  addresses: ['10.244.0.2', 'fd00:244::2'],
  host: { name: host, index: 1001, mac: '02:00:00:00:00:01' },
  sandbox: { name: 'eth0', index: 1002, mac: '02:00:00:00:00:02' },
  mtu: 1450,
  ports: [
    { protocol: 'tcp', hostPort: 18_080, containerPort: 80, hostIP: '' },
    { protocol: 'udp', hostPort: 18_081, containerPort: 81, hostIP: '127.0.0.1' },
  ],
  limits: { ingress: { rate: 2_000, burst: 100 }, egress: { rate: 1_000, burst: 100, link: queue, index: 1003 } },
  pod: { namespace: 'default', name: 'web', uid: 'uid-1' },
  state: 'active',
  since: 1,
};

/** The link of an attachment's host end, as the kernel shows it. */
export const hostLink: LinkState = {
  ...attachment.host,
  group: linkGroup,
  alias: linkAlias(attachment),
  kind: 'veth',
  mtu: 1450,
  up: true,
};

export const objects: readonly NodeObject[] = [
  { name: 'node-1', podCIDRs: ['10.244.0.0/24', 'fd00:244::/64'], addresses: ['10.77.0.11', 'fd00:77::b'] },
  { name: 'node-2', podCIDRs: ['10.244.1.0/24', 'fd00:244:0:1::/64'], addresses: ['10.77.0.12', 'fd00:77::c'] },
  { name: 'node-3', podCIDRs: ['10.244.2.0/24', 'fd00:244:0:2::/64'], addresses: ['10.78.0.13', 'fd00:78::d'] },
];

const farMac = '02:cf:c5:7b:fe:8e';
const farGateway = 'fe80::2cf:c57b:fe8e';

export const node: NodeNetwork = {
  name: 'node-1',
  records: [{ file: recordName(key), attachment }],
  pods: [{ name: 'default/web', uid: 'uid-1', addresses: attachment.addresses }],
  links: [
    { index: 2, name: 'eth0', group: 0, alias: '', kind: 'veth', mac: '4e:00:00:00:00:01', mtu: 1500, up: true },
    hostLink,
    { ...hostLink, name: queue, index: 1003, kind: 'ifb', mac: '7e:00:00:00:00:01' },
    {
      ...{ index: 1000, name: tunnelName, group: tunnelGroup, alias: 'berth:nodes', kind: 'vxlan' },
      ...{ mac: '02:1c:0b:80:19:60', mtu: 1450, up: true },
    },
  ],
  routes: [
    { destination: '10.77.0.0/24', link: 'eth0', protocol: 'kernel' },
    { destination: '10.244.0.2', link: host, protocol: 'static' },
    { destination: 'fd00:244::2', link: host, protocol: 'static' },
    { destination: 'fe80::/64', link: queue, protocol: 'kernel' },
    { destination: '10.244.1.0/24', link: 'eth0', via: '10.77.0.12', protocol: '98' },
    { destination: 'fd00:244:0:1::/64', link: 'eth0', via: 'fd00:77::c', protocol: '98' },
    { destination: '10.244.2.0/24', link: tunnelName, via: '10.78.0.13', protocol: '98' },
    { destination: 'fd00:244:0:2::/64', link: tunnelName, via: farGateway, protocol: '98' },
  ],
  neighbours: [
    { address: '10.244.0.2', link: host, mac: '02:00:00:00:00:02' },
    { address: 'fd00:244::2', link: host, mac: '02:00:00:00:00:02' },
    { address: '10.78.0.13', link: tunnelName, mac: farMac },
    { address: farGateway, link: tunnelName, mac: farMac },
  ],
  forwardings: [{ mac: farMac, to: '10.78.0.13' }],
  tunnelAddresses: ['10.244.0.1', 'fd00:244::1'],
  disciplines: [
    { kind: 'noqueue', link: 'eth0' },
    { kind: 'tbf', link: host, rate: 2_000 },
    { kind: 'clsact', link: host },
    { kind: 'tbf', link: queue, rate: 1_000 },
  ],
  redirections: [{ link: host, to: queue }],
  sandboxes: [
    {
      identity: '4:100',
      links: [
        { name: 'lo', index: 1, mac: '00:00:00:00:00:00', addresses: [] },
        { name: 'eth0', index: 1002, mac: '02:00:00:00:00:02', addresses: attachment.addresses },
      ],
    },
  ],
  elements: new Map([
    ['pods', ['10.244.0.0/24']],
    ['pods6', ['fd00:244::/64']],
    ['direct', ['224.0.0.0/4']],
    ['nodes', ['10.244.1.0/24', '10.244.2.0/24']],
    ['nodes6', ['fd00:244:0:1::/64', 'fd00:244:0:2::/64']],
    ['ports', ['tcp . 18080 : 10.244.0.2 . 80']],
    ['ports6', ['tcp . 18080 : fd00:244::2 . 80']],
    ['addressports', ['127.0.0.1 . udp . 18081 : 10.244.0.2 . 81']],
    ['addressports6', []],
    ['hairpin', ['10.244.0.2 . 10.244.0.2']],
    ['hairpin6', ['fd00:244::2 . fd00:244::2']],
  ]),
  queue: [],
  refused: [],
  unfinished: [],
  counted: 2,
};

/** Another attachment than that of the node, complete in itself. */
export function another(change: Partial<Attachment>): Attachment {
  const own = { containerID: 'c2', ifname: 'eth0' };
  return {
    ...attachment,
    ports: [],
    limits: {},
    ...own,
    host: { name: hostLinkName(own), index: 2001, mac: '02:00:00:00:01:01' },
    netns: { path: '/var/run/netns/two', identity: '4:200' },
    pod: { namespace: 'default', name: 'other', uid: 'uid-2' },
    ...change,
  };
}
