// rtnetlink: one table of behaviours for the kernel and the fake, so that a test on the fake means something.
import { execFileSync } from 'node:child_process';
import { afterEach, describe, expect, test } from 'vitest';
import { inNamespace, namespaces } from '../../linux/netns.ts';
import type { NetworkNamespace } from '../../linux/netns.ts';
import { FakeNetwork } from '../../linux/rtnetlink/fake.ts';
import type { CreateVeth, RouteRequest } from '../../linux/rtnetlink/requests.ts';
import type { RouteSocket } from '../../linux/rtnetlink/rtnetlink.ts';
import { rtnetlink } from '../../linux/rtnetlink/socket.ts';

interface Bench {
  readonly host: RouteSocket;
  readonly pod: RouteSocket;
  readonly podNamespace: NetworkNamespace;
}

const undo: (() => void)[] = [];
afterEach(() => {
  for (const step of undo.splice(0).reverse()) step();
});

let count = 0;
function addNamespace(): NetworkNamespace {
  const name = `berth-rt-${process.pid}-${++count}`;
  execFileSync('ip', ['netns', 'add', name]);
  undo.push(() => {
    execFileSync('ip', ['netns', 'del', name]);
  });
  const namespace = namespaces.open(`/run/netns/${name}`);
  undo.push(() => {
    namespace.close();
  });
  return namespace;
}

function kernel(): Bench {
  const hostNamespace = addNamespace();
  const podNamespace = addNamespace();
  const host = rtnetlink.open(hostNamespace);
  const pod = rtnetlink.open(podNamespace);
  undo.push(() => {
    host.close();
  });
  undo.push(() => {
    pod.close();
  });
  return { host, pod, podNamespace };
}

function fake(): Bench {
  const network = new FakeNetwork();
  network.addNamespace('/run/netns/pod');
  const podNamespace = network.open('/run/netns/pod');
  return { host: network.open(), pod: network.open(podNamespace), podNamespace };
}

const mac = { host: '02:00:00:00:00:01', pod: '02:00:00:00:00:02' };

function veth(bench: Bench, change: Partial<CreateVeth> = {}, peer: Partial<CreateVeth['peer']> = {}): CreateVeth {
  return {
    op: 'create-veth',
    name: 'vethone',
    index: 1001,
    mac: mac.host,
    mtu: 1400,
    group: 77,
    peer: { name: 'eth0', index: 2001, mac: mac.pod, mtu: 1400, namespace: bench.podNamespace, ...peer },
    ...change,
  };
}

describe.each([
  ['the kernel', kernel],
  ['the fake', fake],
])('%s', (_name, make) => {
  test('a route of a maker is told from others, moves in one step, and only its maker deletes it', async () => {
    const bench = make();
    await bench.host.apply([
      veth(bench),
      { op: 'set-link', index: 1001, up: true },
      { op: 'add-address', index: 1001, address: '192.0.2.1/24' },
    ]);
    const route = { op: 'add-route', index: 1001, destination: '10.9.0.0/24', via: '192.0.2.2', protocol: 98 } as const;
    const found = async (): Promise<unknown> =>
      (await bench.host.routes()).filter(({ destination }) => destination === '10.9.0.0/24');
    const state = { index: 1001, destination: '10.9.0.0/24', protocol: 98, metric: 0 };
    await bench.host.apply([route]);
    await expect(bench.host.apply([{ ...route, via: '192.0.2.3' }])).rejects.toMatchObject({ code: 'EEXIST' });
    expect(await found()).toEqual([{ ...state, via: '192.0.2.2' }]);
    await bench.host.apply([{ ...route, via: '192.0.2.3', replace: true }]);
    expect(await found()).toEqual([{ ...state, via: '192.0.2.3' }]);
    for (const other of [{ protocol: 4 }, { via: '192.0.2.2' }])
      await bench.host.apply([{ op: 'delete-route', index: 1001, destination: '10.9.0.0/24', ...other }]);
    expect(await found()).toEqual([{ ...state, via: '192.0.2.3' }]);
    await bench.host.apply([
      { op: 'delete-route', index: 1001, destination: '10.9.0.0/24', via: '192.0.2.3', protocol: 98 },
    ]);
    expect(await found()).toEqual([]);
    await bench.host.apply([{ ...route, via: '203.0.113.9', onlink: true }]);
    expect(await found()).toEqual([{ ...state, via: '203.0.113.9' }]);
  });

  test('IPv6: an address at once, a default route over a static link-local gateway, all gone after deletion', async () => {
    const bench = make();
    await bench.host.apply([
      veth(bench),
      { op: 'set-link', index: 1001, addressGeneration: 'none' },
      { op: 'set-link', index: 1001, up: true },
      { op: 'add-neighbour', index: 1001, address: 'fd00::2', mac: mac.pod },
      { op: 'add-route', index: 1001, destination: 'fd00::2/128' },
    ]);
    await bench.pod.apply([
      { op: 'set-link', index: 2001, addressGeneration: 'none' },
      { op: 'set-link', index: 2001, up: true },
      { op: 'add-address', index: 2001, address: 'fd00::2/128' },
      { op: 'add-neighbour', index: 2001, address: 'fe80::1', mac: mac.host },
      { op: 'add-route', index: 2001, destination: '::/0', via: 'fe80::1' },
    ]);
    expect(await bench.pod.addresses(6)).toEqual([{ index: 2001, address: 'fd00::2/128', global: true }]);
    expect(await bench.pod.addresses()).toEqual([]);
    expect(await bench.pod.routes(6)).toContainEqual({
      index: 2001,
      destination: '::/0',
      via: 'fe80::1',
      metric: 1024,
    });
    expect(await bench.host.routes(6)).toEqual([{ index: 1001, destination: 'fd00::2/128', metric: 1024 }]);
    expect(await bench.host.neighbours(6)).toEqual([{ index: 1001, address: 'fd00::2', mac: mac.pod }]);
    const deletions = [
      { op: 'delete-route', index: 1001, destination: 'fd00::2/128' },
      { op: 'delete-neighbour', index: 1001, address: 'fd00::2' },
    ] as const;
    await bench.host.apply([...deletions, ...deletions]);
    expect([await bench.host.routes(6), await bench.host.neighbours(6)]).toEqual([[], []]);
  });

  test('creates a veth pair with its peer in the other namespace', async () => {
    const bench = make();
    await bench.host.apply([veth(bench), { op: 'set-link', index: 1001, alias: 'berth:a/eth0', up: true }]);
    expect(await bench.host.link('vethone')).toEqual({
      index: 1001,
      name: 'vethone',
      mac: mac.host,
      mtu: 1400,
      group: 77,
      alias: 'berth:a/eth0',
      up: true,
      kind: 'veth',
    });
    expect(await bench.pod.link('eth0')).toEqual({
      index: 2001,
      name: 'eth0',
      mac: mac.pod,
      mtu: 1400,
      group: 0,
      alias: '',
      up: false,
      kind: 'veth',
    });
    expect(await bench.host.link('eth0')).toBeUndefined();
  });

  test('lists what was added, and a default route over an on-link gateway', async () => {
    const bench = make();
    await bench.host.apply([veth(bench)]);
    await bench.pod.apply([
      { op: 'set-link', index: 1, up: true },
      { op: 'add-address', index: 2001, address: '10.1.0.2/32' },
      { op: 'set-link', index: 2001, up: true },
      { op: 'add-neighbour', index: 2001, address: '169.254.1.1', mac: mac.host },
      { op: 'add-route', index: 2001, destination: '169.254.1.1/32' },
      { op: 'add-route', index: 2001, destination: '0.0.0.0/0', via: '169.254.1.1', source: '10.1.0.2' },
    ]);
    expect(await bench.pod.addresses()).toEqual([
      { index: 1, address: '127.0.0.1/8', global: false },
      { index: 2001, address: '10.1.0.2/32', global: true },
    ]);
    expect(await bench.pod.neighbours()).toEqual([{ index: 2001, address: '169.254.1.1', mac: mac.host }]);
    expect([...(await bench.pod.routes())].sort((a, b) => (a.destination < b.destination ? -1 : 1))).toEqual([
      { index: 2001, destination: '0.0.0.0/0', via: '169.254.1.1', source: '10.1.0.2', metric: 0 },
      { index: 2001, destination: '169.254.1.1/32', metric: 0 },
    ]);
  });

  const refused: [string, (bench: Bench) => readonly RouteRequest[], string][] = [
    ['a name taken on this side', (b) => [veth(b), veth(b, { index: 1002 }, { index: 2002, name: 'eth1' })], 'EEXIST'],
    [
      'a name taken on the other side',
      (b) => [veth(b), veth(b, { index: 1002, name: 'vethtwo' }, { index: 2002 })],
      'EEXIST',
    ],
    [
      'an index taken on this side',
      (b) => [veth(b), veth(b, { name: 'vethtwo' }, { index: 2002, name: 'eth1' })],
      'EEXIST',
    ],
    [
      'an index taken on the other side',
      (b) => [veth(b), veth(b, { name: 'vethtwo', index: 1002 }, { name: 'eth1' })],
      'EBUSY',
    ],
    ['a change of a link that is not there', () => [{ op: 'set-link', index: 9, up: true }], 'ENODEV'],
    [
      'an address on a link that is not there',
      () => [{ op: 'add-address', index: 9, address: '10.1.0.1/32' }],
      'ENODEV',
    ],
    [
      'a route over a link that is not there',
      () => [{ op: 'add-route', index: 9, destination: '10.1.0.1/32' }],
      'ENODEV',
    ],
    [
      'a neighbour on a link that is not there',
      () => [{ op: 'add-neighbour', index: 9, address: '10.1.0.1', mac: mac.pod }],
      'ENODEV',
    ],
    [
      'a route over a link that is down',
      (b) => [veth(b), { op: 'add-route', index: 1001, destination: '10.1.0.2/32' }],
      'ENETDOWN',
    ],
    [
      'a route through a gateway nobody knows',
      (b) => [
        veth(b),
        { op: 'set-link', index: 1001, up: true },
        { op: 'add-route', index: 1001, destination: '0.0.0.0/0', via: '169.254.1.1' },
      ],
      'ENETUNREACH',
    ],
    [
      'a source address that is not ours',
      (b) => [
        veth(b),
        { op: 'set-link', index: 1001, up: true },
        { op: 'add-route', index: 1001, destination: '10.1.0.2/32', source: '10.9.9.9' },
      ],
      'EINVAL',
    ],
    [
      'the same route twice',
      (b) => [
        veth(b),
        { op: 'set-link', index: 1001, up: true },
        { op: 'add-route', index: 1001, destination: '10.1.0.2/32' },
        { op: 'add-route', index: 1001, destination: '10.1.0.2/32' },
      ],
      'EEXIST',
    ],
  ];
  test.each(refused)('refuses %s', async (_what, requests, code) => {
    const bench = make();
    await expect(bench.host.apply(requests(bench))).rejects.toMatchObject({ code });
  });

  test('goes on after a refused request and names the first one', async () => {
    const bench = make();
    const missing: RouteRequest = { op: 'set-link', index: 9, up: true };
    await expect(bench.host.apply([missing, veth(bench)])).rejects.toMatchObject({ code: 'ENODEV', request: missing });
    expect(await bench.pod.link('eth0')).toBeDefined();
  });

  test('a link is shaped, and what it receives is sent through another', async () => {
    const bench = make();
    const shape = { op: 'shape-link', index: 1001, rate: 1_000_000, burst: 20_000, queue: 45_000 } as const;
    await bench.host.apply([
      veth(bench),
      { op: 'create-ifb', name: 'ifbone', index: 1003, mtu: 1400, group: 77 },
      { op: 'set-link', index: 1003, up: true },
      shape,
      { ...shape, index: 1003, rate: 6_000_000_000 },
      { op: 'watch-ingress', index: 1001 },
      { op: 'redirect-ingress', index: 1001, to: 1003 },
    ]);
    expect(await bench.host.link('ifbone')).toMatchObject({ index: 1003, mtu: 1400, group: 77, up: true, kind: 'ifb' });
    // All but the creation can be repeated.
    await bench.host.apply([
      { ...shape, rate: 2_000_000 },
      { op: 'watch-ingress', index: 1001 },
      { op: 'redirect-ingress', index: 1001, to: 1003 },
    ]);
    const shapes = await bench.host.shapes();
    expect([...shapes].sort((a, b) => a.index - b.index)).toEqual([
      { index: 1001, rate: 2_000_000 },
      { index: 1003, rate: 6_000_000_000 },
    ]);
    await bench.host.apply([{ op: 'delete-links', group: 77 }]);
    expect(await bench.host.shapes()).toEqual([]);
  });

  test.each([
    ['a second link of the name', { op: 'create-ifb', name: 'vethone', index: 1003, mtu: 1400, group: 0 }, 'EEXIST'],
    ['a link that is not there', { op: 'shape-link', index: 9, rate: 1, burst: 2_000, queue: 2_000 }, 'ENODEV'],
    ['a filter where nothing filters', { op: 'redirect-ingress', index: 1001, to: 1001 }, 'EINVAL'],
  ] as const)('%s is refused', async (_what, request, code) => {
    const bench = make();
    await bench.host.apply([veth(bench)]);
    await expect(bench.host.apply([request])).rejects.toMatchObject({ code });
  });

  test.each([
    ['IPv4', '192.0.2.1', '192.0.2.2', '192.0.2.3'],
    ['IPv6', '2001:db8::1', '2001:db8::2', '2001:db8::3'],
  ])('a VXLAN device over %s has the settings it was made with and forwards where it was told', async (...row) => {
    const [, local, to, later] = row;
    const bench = make();
    const settings = { id: 4242, port: 4790, local };
    const device = { name: 'tunnel', index: 1004, mac: mac.host, mtu: 1300, group: 79 };
    await bench.host.apply([
      { op: 'create-vxlan', ...device, ...settings },
      { op: 'set-link', index: 1004, mtu: 1280, up: true },
      { op: 'add-forwarding', index: 1004, mac: mac.pod, to },
    ]);
    const made = { ...device, mtu: 1280, up: true, kind: 'vxlan', vxlan: settings };
    expect(await bench.host.link('tunnel')).toMatchObject(made);
    expect((await bench.host.links()).find(({ index }) => index === 1004)).toMatchObject(made);
    expect(await bench.host.forwardings()).toEqual([{ index: 1004, mac: mac.pod, to }]);
    await bench.host.apply([{ op: 'add-forwarding', index: 1004, mac: mac.pod, to: later }]);
    expect(await bench.host.forwardings()).toEqual([{ index: 1004, mac: mac.pod, to: later }]);
    const twin = { ...device, name: 'twin', index: 1005 };
    await expect(bench.host.apply([{ op: 'create-vxlan', ...twin, ...settings }])).rejects.toMatchObject({
      code: 'EEXIST',
    });
    const deletion: RouteRequest = { op: 'delete-forwarding', index: 1004, mac: mac.pod, to: later };
    await bench.host.apply([deletion]);
    await bench.host.apply([deletion]);
    expect(await bench.host.forwardings()).toEqual([]);
  });

  test('a neighbour is replaced', async () => {
    const bench = make();
    await bench.host.apply([
      veth(bench),
      { op: 'set-link', index: 1001, up: true },
      { op: 'add-neighbour', index: 1001, address: '10.1.0.2', mac: mac.host },
      { op: 'add-neighbour', index: 1001, address: '10.1.0.2', mac: mac.pod },
    ]);
    expect(await bench.host.neighbours()).toEqual([{ index: 1001, address: '10.1.0.2', mac: mac.pod }]);
  });

  test('deleting works once and again, with and without the link', async () => {
    const bench = make();
    const deletions: RouteRequest[] = [
      { op: 'delete-route', index: 1001, destination: '10.1.0.2/32' },
      { op: 'delete-neighbour', index: 1001, address: '10.1.0.2' },
      { op: 'delete-links', group: 78 },
    ];
    await bench.host.apply(deletions);
    await bench.host.apply([
      veth(bench),
      veth(bench, { name: 'vethtwo', index: 1002 }, { name: 'eth1', index: 2002 }),
      { op: 'set-link', index: 1001, up: true },
      { op: 'add-neighbour', index: 1001, address: '10.1.0.2', mac: mac.pod },
      { op: 'add-route', index: 1001, destination: '10.1.0.2/32' },
      { op: 'set-link', index: 1001, group: 78 },
    ]);
    await bench.host.apply(deletions);
    await bench.host.apply(deletions);
    expect(await bench.host.routes()).toEqual([]);
    expect(await bench.host.neighbours()).toEqual([]);
    expect(await bench.pod.link('eth0')).toBeUndefined();
    expect(await bench.pod.link('eth1')).toMatchObject({ index: 2002 });
    expect(await bench.host.link('vethtwo')).toMatchObject({ index: 1002, group: 77 });
  });
});

test('two namespaces have different identities, and one keeps its own', () => {
  const [one, two] = [addNamespace(), addNamespace()];
  expect(one.identity).not.toBe(two.identity);
  expect(namespaces.look(one.path)).toEqual({ identity: one.identity });
  expect(namespaces.look(`${one.path}-not-there`)).toBe('gone');
  expect(namespaces.look('/no/such/folder/netns')).toBe('unseen');
  expect(namespaces.look('/etc/passwd')).toBe('unseen');
});

test.each([
  ['/run/netns/berth-not-there', 'NOT_FOUND'],
  ['/etc/passwd/x', 'NOT_FOUND'],
  ['/etc/passwd', 'INVALID_ARGUMENT'],
  ['/proc/thread-self/ns/mnt', 'INVALID_ARGUMENT'],
  ['/proc/thread-self/ns/net', 'FAILED_PRECONDITION'],
])('%s is refused as a pod namespace with %s', (path, code) => {
  expect(() => namespaces.open(path)).toThrow(expect.objectContaining({ code }) as Error);
});

test('a thread is back in its own namespace also when the work inside throws', () => {
  const namespace = addNamespace();
  const own = (): unknown => namespaces.look('/proc/thread-self/ns/net');
  const before = own();
  expect(inNamespace(namespace, own)).toEqual({ identity: namespace.identity });
  expect(() =>
    inNamespace(namespace, () => {
      throw new Error('inside');
    }),
  ).toThrow('inside');
  expect(own()).toEqual(before);
});

test('a thousand links are listed whole', async () => {
  const bench = kernel();
  for (let at = 0; at < 1000; at += 50)
    await bench.host.apply(
      Array.from({ length: 50 }, (_, n) =>
        veth(
          bench,
          { name: `veth${at + n}`, index: 10_000 + at + n },
          { name: `eth${at + n}`, index: 20_000 + at + n },
        ),
      ),
    );
  expect((await bench.host.links()).filter((link) => link.group === 77)).toHaveLength(1000);
  await bench.host.apply([{ op: 'delete-links', group: 77 }]);
  expect(await bench.pod.links()).toHaveLength(1);
});
