import { expect, test } from 'vitest';
import { doomedGroup, linkGroup, recordName } from '../../../cni/attachment.ts';
import { tunnelName } from '../../../cni/nodes/tunnel.ts';
import { addressViolations, attachmentViolations } from './attachments.ts';
import { elementViolations } from './elements.ts';
import { linkViolations } from './links.ts';
import { nodeRouteViolations } from './noderoutes.ts';
import type { NodeNetwork } from './nodestate.ts';
import { another, attachment, hostLink, node, objects } from './soundnode.ts';

const host = attachment.host.name;
const queue = attachment.limits!.egress!.link;

function violationsOf(network: NodeNetwork): readonly string[] {
  return [
    ...attachmentViolations(network),
    ...linkViolations(network),
    ...elementViolations(network, objects),
    ...nodeRouteViolations(network, objects),
    ...addressViolations([network]),
  ];
}

function withElements(set: string, elements: readonly string[]): Partial<NodeNetwork> {
  return { elements: new Map([...node.elements!, [set, elements]]) };
}

const record = node.records[0]!;
const [eth0, , ifb, tunnel] = node.links as [typeof hostLink, typeof hostLink, typeof hostLink, typeof hostLink];
const without = (destination: string): Partial<NodeNetwork> => ({
  routes: node.routes.filter((route) => route.destination !== destination),
});

test('a sound node has no violation', () => {
  expect(violationsOf(node)).toEqual([]);
});

const planted: readonly (readonly [title: string, change: Partial<NodeNetwork>, says: RegExp])[] = [
  // Records and pods.
  [
    'a file that is no record',
    { records: [record, { file: 'x.json', attachment: undefined }] },
    /x\.json is no record/,
  ],
  [
    'a record under another name',
    { records: [record, { file: 'copy.json', attachment }] },
    /copy\.json has the record/,
  ],
  [
    'a record that was never finished',
    { records: [{ ...record, attachment: { ...attachment, state: 'reserved' } }] },
    /default\/web is reserved/,
  ],
  ['a record without a pod', { pods: [] }, /attachment of default\/web has no living pod/],
  [
    'two records of one pod',
    {
      records: [
        record,
        { file: recordName({ containerID: 'c2', ifname: 'eth0' }), attachment: another({ pod: attachment.pod }) },
      ],
    },
    /pod uid-1 has two attachments/,
  ],
  ['a pod without a record', { records: [] }, /pod default\/web with address 10\.244\.0\.2 has no address of its att/],
  [
    'an address the pod does not tell',
    { pods: [{ ...node.pods[0]!, addresses: ['10.244.0.2'] }] },
    /fd00:244::2 has no pod/,
  ],
  ['a namespace that is gone', { sandboxes: [] }, /has no network namespace \(4:100\)/],
  [
    'a second address inside the pod',
    {
      sandboxes: [
        {
          identity: '4:100',
          links: [
            {
              name: 'eth0',
              index: 1002,
              mac: attachment.sandbox.mac,
              addresses: [...attachment.addresses, '10.244.0.9'],
            },
          ],
        },
      ],
    },
    /address in its pod 10\.244\.0\.9 has no attachment/,
  ],
  [
    'another link inside the pod',
    {
      sandboxes: [
        {
          identity: '4:100',
          links: [{ name: 'eth0', index: 7, mac: attachment.sandbox.mac, addresses: attachment.addresses }],
        },
      ],
    },
    /link eth0 in the pod of default\/web is 7 /,
  ],
  ['a pod without its link', { sandboxes: [{ identity: '4:100', links: [] }] }, /has no link eth0 in its pod/],
  ['a call in the queue', { queue: ['DEL,c1,eth0'] }, /DEL,c1,eth0 waits in the queue/],
  ['a file set aside', { refused: ['stranger'] }, /stranger was set aside/],
  ['a half-written file', { unfinished: ['/run/berth/.tmp-1'] }, /\.tmp-1 was left half-written/],
  ['an address leaked in memory', { counted: 3 }, /counts 3 addresses as used, records have 2/],
  ['an agent that does not answer', { counted: undefined }, /does not say how many addresses/],
  // Links.
  ['a lost link', { links: [eth0, ifb, tunnel] }, new RegExp(`attachment ${host} .* has no link`)],
  [
    'a stray link of our group, whatever its name',
    { links: [...node.links, { ...hostLink, name: 'any', index: 9, alias: '' }] },
    /link any .* has no attachment/,
  ],
  [
    'a stray link with our alias',
    { links: [...node.links, { ...hostLink, name: 'any', index: 9, group: 0 }] },
    /link any .* has no attachment/,
  ],
  [
    'a link that was to be deleted',
    { links: [...node.links, { ...hostLink, name: 'any', index: 9, group: doomedGroup }] },
    /link any .* has no attachment/,
  ],
  [
    'a stray queue link',
    { links: [...node.links, { ...ifb, name: 'ifb0', index: 9 }] },
    /link ifb0 \(ifb .* has no attachment/,
  ],
  ['a lost queue link', { links: [eth0, hostLink, tunnel] }, new RegExp(`attachment ${queue} .* has no link`)],
  ['a link that is another', { links: [eth0, { ...hostLink, index: 9 }, ifb, tunnel] }, /has no link/],
  [
    'a link with the MTU of another network',
    { links: [eth0, { ...hostLink, mtu: 9000 }, ifb, tunnel] },
    /mtu 9000 .* has no attachment/,
  ],
  ['a link that is down', { links: [eth0, { ...hostLink, up: false }, ifb, tunnel] }, /is down/],
  // What hangs on links.
  ['a lost route to a pod', without('10.244.0.2'), /attachment 10\.244\.0\.2 over veth\w+ has no route/],
  [
    'a stray route over a link of ours',
    { routes: [...node.routes, { destination: '10.244.0.9', link: host, protocol: 'static' }] },
    /route 10\.244\.0\.9 over veth\w+ has no att/,
  ],
  [
    'a second way to a pod',
    { routes: [...node.routes, { destination: '10.244.0.2', link: 'eth0', protocol: 'boot' }] },
    /route 10\.244\.0\.2 over eth0 has no att/,
  ],
  [
    'the same route twice',
    { routes: [...node.routes, { destination: '10.244.0.2', link: host, protocol: '98' }] },
    /more than once/,
  ],
  [
    'a neighbour with another MAC',
    { neighbours: [{ ...node.neighbours[0]!, mac: '02:00:00:00:00:99' }, ...node.neighbours.slice(1)] },
    /neighbour 10\.244\.0\.2 02:00:00:00:00:99 .* has no attachment/,
  ],
  [
    'a lost neighbour',
    { neighbours: node.neighbours.slice(1) },
    /attachment 10\.244\.0\.2 02:00:00:00:00:02 .* has no neighbour/,
  ],
  ['a lost limit', { disciplines: node.disciplines.slice(0, 3) }, /tbf on ifb\w+ of 1000 bytes\/s has no discipline/],
  [
    'another limit',
    { disciplines: [...node.disciplines.slice(0, 3), { kind: 'tbf', link: queue, rate: 1 }] },
    /discipline tbf on ifb\w+ of 1 bytes\/s has no att/,
  ],
  [
    'a stray filter block',
    { disciplines: [...node.disciplines, { kind: 'clsact', link: queue }] },
    /discipline clsact on ifb\w+ has no attachment/,
  ],
  ['a lost redirection', { redirections: [] }, /has no redirection/],
  [
    'a redirection elsewhere',
    { redirections: [{ link: host, to: 'eth0' }] },
    /redirection veth\w+ to eth0 has no attachment/,
  ],
  // The table.
  ['a table that was flushed', { elements: undefined }, /no nft table inet berth/],
  ['a set that is gone', { elements: new Map() }, /the nft table has no pods/],
  ['a lost pod range', withElements('pods', []), /owner 10\.244\.0\.0\/24 in pods has no element/],
  [
    'a stray pod range',
    withElements('pods6', ['fd00:244::/64', 'fd00:99::/64']),
    /element fd00:99::\/64 in pods6 has no owner/,
  ],
  ['a lost port', withElements('ports6', []), /owner tcp \. 18080 : fd00:244::2 \. 80 in ports6 has no element/],
  [
    'a stray port',
    withElements('ports', ['tcp . 18080 : 10.244.0.2 . 80', 'tcp . 1 : 10.244.0.9 . 1']),
    /tcp \. 1 : 10\.244\.0\.9 \. 1 in ports has no owner/,
  ],
  [
    'a port of one address that leads elsewhere',
    withElements('addressports', ['127.0.0.1 . udp . 18081 : 10.244.0.9 . 81']),
    /10\.244\.0\.9 \. 81 in addressports has no owner/,
  ],
  ['a lost hairpin', withElements('hairpin6', []), /owner fd00:244::2 \. fd00:244::2 in hairpin6 has no element/],
  [
    'the range of a node that is gone',
    withElements('nodes', ['10.244.1.0/24', '10.244.2.0/24', '10.244.9.0/24']),
    /10\.244\.9\.0\/24 in nodes has no owner/,
  ],
  // Ways to other nodes.
  ['a lost route to a node', without('10.244.1.0/24'), /node node-2 with 10\.244\.1\.0\/24 has no route/],
  [
    'a route to a node that is gone',
    { routes: [...node.routes, { destination: '10.244.9.0/24', link: 'eth0', via: '10.77.0.19', protocol: '98' }] },
    /10\.77\.0\.19 over eth0 with 10\.244\.9\.0\/24 has no node/,
  ],
  [
    'a route that ends at another node',
    {
      routes: [
        ...node.routes.filter(({ destination }) => destination !== '10.244.1.0/24'),
        { destination: '10.244.1.0/24', link: 'eth0', via: '10.78.0.13', protocol: '98' },
      ],
    },
    /node-3 with 10\.244\.1\.0\/24 has no node/,
  ],
  ['a tunnel that knows no end', { forwardings: [] }, /leads to no end of the tunnel/],
  [
    'a stray end of the tunnel',
    { forwardings: [...node.forwardings, { mac: '02:00:00:00:09:09', to: '10.78.0.19' }] },
    /forwarding to 10\.78\.0\.19 has no tunnel route/,
  ],
  [
    'a stray neighbour in the tunnel',
    { neighbours: [...node.neighbours, { address: '10.78.0.19', link: tunnelName, mac: '02:00:00:00:09:09' }] },
    /neighbour 10\.78\.0\.19 .* is the next hop to no node/,
  ],
  [
    'a tunnel without its address',
    { tunnelAddresses: ['10.244.0.1'] },
    /with address fd00:244::1 has no address of the tunnel/,
  ],
  ['a tunnel that is down', { links: [eth0, hostLink, ifb, { ...tunnel, up: false }] }, /link berth-vxlan is down/],
  [
    'a second tunnel',
    { links: [...node.links, { ...tunnel, name: 'berth-old', index: 9 }] },
    /link berth-old has no the tunnel/,
  ],
];

test.each(planted)('finds %s', (_title, change, says) => {
  expect(violationsOf({ ...node, ...change }).join('\n')).toMatch(says);
});

test('finds a tunnel that leads to no node', () => {
  const near = {
    routes: node.routes.filter(({ link }) => link !== tunnelName),
    forwardings: [],
    neighbours: node.neighbours.slice(0, 2),
  };
  const found = nodeRouteViolations({ ...node, ...near }, objects.slice(0, 2));
  expect(found).toEqual(['link berth-vxlan is there and no node is reached by it']);
});

test('finds an address with two owners, on one node and on two', () => {
  const second = { file: 'c2.json', attachment: another({ addresses: ['10.244.0.2'] }) };
  expect(addressViolations([{ ...node, records: [record, second] }])).toEqual([
    'address 10.244.0.2 has 2 owners: default/web on node-1, default/other on node-1',
  ]);
  expect(addressViolations([node, { ...node, name: 'node-2', records: [second] }])).toEqual([
    'address 10.244.0.2 has 2 owners: default/web on node-1, default/other on node-2',
  ]);
});

test('leaves alone what is not Berth’s', () => {
  const foreign = { ...eth0, name: 'veth0', index: 77 };
  const change = {
    links: [...node.links, foreign],
    routes: [...node.routes, { destination: '192.0.2.0/24', link: 'veth0', protocol: 'static' }],
    neighbours: [...node.neighbours, { address: '192.0.2.9', link: 'veth0', mac: '02:00:00:00:07:07' }],
    disciplines: [...node.disciplines, { kind: 'tbf', link: 'veth0', rate: 1 }],
  };
  expect(foreign.group).not.toBe(linkGroup);
  expect(violationsOf({ ...node, ...change })).toEqual([]);
});
