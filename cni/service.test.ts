// The service over fakes of the kernel: what it does when calls, restarts and refusals come in every order.
import { existsSync } from 'node:fs';
import { mkdtemp, readFile, readdir, rm, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Registry } from 'prom-client';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { createLogger } from '../kit/log.ts';
import type { Service } from '../kit/service.ts';
import type { UdpFlow } from '../linux/conntrack.ts';
import { FakeNftables } from '../linux/nftables/fake.ts';
import { FakeNetwork } from '../linux/rtnetlink/fake.ts';
import { RouteError } from '../linux/rtnetlink/rtnetlink.ts';
import type { RouteRequest } from '../linux/rtnetlink/requests.ts';
import type { RouteSocket } from '../linux/rtnetlink/rtnetlink.ts';
import { FakeSysctl } from '../linux/sysctl.ts';
import { recordName } from './attachment.ts';
import { networkSchema } from './config.ts';
import type { NetworkConfig } from './config.ts';
import type { NetworkKernel } from './kernel.ts';
import { FrameReader, encodeFrame } from './protocol.ts';
import { createNetworkService } from './service.ts';

let folder = '';
let network: FakeNetwork;
let config: NetworkConfig;
/** Flows the fake kernel has, in the order of their families. */
let flows: UdpFlow[] = [];
let broken = false;
function forgetUdp(_family: 4 | 6, matches: (flow: UdpFlow) => boolean): Promise<void> {
  if (broken) return Promise.reject(new Error('no ctnetlink'));
  flows = flows.filter((flow) => !matches(flow));
  return Promise.resolve();
}
let nftables: FakeNftables;
/** Holds a batch up until what it returns resolves. */
let hold: (requests: readonly RouteRequest[]) => Promise<unknown> | undefined = () => undefined;
/** Refuses a batch when it returns an error for it. */
let refuse: (requests: readonly RouteRequest[]) => RouteError | undefined;
const running: Service[] = [];

beforeEach(async () => {
  hold = () => undefined;
  folder = await mkdtemp(join(tmpdir(), 'berth-service-'));
  await writeFile(join(folder, 'shim'), 'program');
  network = new FakeNetwork();
  network.addUplink('eth0', '192.0.2.1/24', '192.0.2.254', 1400);
  nftables = new FakeNftables();
  broken = false;
  refuse = () => undefined;
  config = networkSchema.parse({
    podCIDR: '10.1.0.0/28',
    cniBinDir: join(folder, 'bin'),
    cniConfDir: join(folder, 'net.d'),
    runDir: join(folder, 'run'),
  });
});
afterEach(async () => {
  for (const service of running.splice(0)) await service.stop(AbortSignal.timeout(1_000));
  await rm(folder, { recursive: true });
});

function kernel(): NetworkKernel {
  const rtnetlink = {
    open: (...of: Parameters<NetworkKernel['rtnetlink']['open']>): RouteSocket => {
      const socket = network.open(...of);
      return Object.assign(Object.create(socket) as RouteSocket, {
        apply: async (requests: readonly RouteRequest[]) => {
          const refusal = refuse(requests);
          if (refusal !== undefined) throw refusal;
          await hold(requests);
          await socket.apply(requests);
        },
        links: () => socket.links(),
        link: (name: string) => socket.link(name),
        addresses: (family?: 4 | 6) => socket.addresses(family),
        routes: (family?: 4 | 6) => socket.routes(family),
        neighbours: (family?: 4 | 6) => socket.neighbours(family),
        shapes: () => socket.shapes(),
        forwardings: () => socket.forwardings(),
        close: () => {
          socket.close();
        },
      });
    },
  };
  return {
    namespaces: network,
    rtnetlink,
    sysctl: new FakeSysctl(),
    conntrack: { forgetUdp },
    openNftables: () => nftables,
  };
}

async function start(change: Partial<NetworkConfig> = {}): Promise<Service> {
  const service = createNetworkService(
    { ...config, ...change },
    {
      podCIDR: () => Promise.reject(new Error('not asked for')),
      log: createLogger('error', { write: () => undefined }),
      registry: new Registry(),
      shimPath: join(folder, 'shim'),
      kernel: kernel(),
      reapEveryMs: 20,
    },
  );
  await service.start(AbortSignal.timeout(5_000));
  running.push(service);
  return service;
}

async function restart(change: Partial<NetworkConfig> = {}): Promise<Service> {
  for (const service of running.splice(0)) await service.stop(AbortSignal.timeout(1_000));
  return await start(change);
}

interface Answer {
  readonly exit: number;
  readonly result: { readonly code?: number; readonly msg?: string; readonly ips?: readonly { address: string }[] };
}

async function call(
  command: string,
  pod: string,
  extra: Record<string, unknown> = {},
  protocol = 1,
  settled = true,
): Promise<Answer> {
  const variables = { CNI_COMMAND: command, CNI_CONTAINERID: pod, CNI_NETNS: `/run/netns/${pod}`, CNI_IFNAME: 'eth0' };
  const stdin = new TextEncoder().encode(
    JSON.stringify({ cniVersion: '1.1.0', name: 'berth', type: 'berth', ...extra }),
  );
  const answer = await new Promise<Answer>((resolve, reject) => {
    const socket = connect(join(config.runDir, 'cni.sock'));
    const reader = new FrameReader();
    socket.on('error', reject);
    socket.on('close', () => {
      reject(new Error('no answer'));
    });
    socket.on('connect', () => socket.write(encodeFrame({ protocol, variables }, stdin)));
    socket.on('data', (chunk: Buffer) => {
      const frame = reader.push(chunk);
      if (frame === undefined) return;
      const text = new TextDecoder().decode(frame.body);
      const { exit } = frame.header as { exit: number };
      resolve({ exit, result: (text === '' ? {} : JSON.parse(text)) as Answer['result'] });
      socket.destroy();
    });
  });
  if (!settled) return answer;
  // The answer to DEL comes before the link is gone; the record goes last.
  const record = join(config.runDir, 'attachments', recordName({ containerID: pod, ifname: 'eth0' }));
  if (command === 'DEL' && answer.exit === 0) await vi.waitUntil(() => !existsSync(record), { timeout: 10_000 });
  return answer;
}

async function add(pod: string): Promise<string | undefined> {
  const { result } = await call('ADD', pod);
  return result.ips?.[0]?.address;
}

async function records(): Promise<string[]> {
  return await readdir(join(config.runDir, 'attachments'));
}

async function podLinks(): Promise<number> {
  return (await network.open().links()).filter((link) => link.kind === 'veth').length;
}

test('an attached pod is reachable both ways and leaves nothing', async () => {
  await start();
  network.addNamespace('/run/netns/a');
  expect(await add('a')).toBe('10.1.0.2/32');
  const host = network.open();
  const pod = network.open(network.open('/run/netns/a'));
  expect((await host.routes()).find((route) => route.destination === '10.1.0.2/32')?.source).toBe('192.0.2.1');
  expect((await host.links()).find((link) => link.kind === 'veth')).toMatchObject({ alias: 'berth:a/eth0', mtu: 1400 });
  expect(await pod.routes()).toContainEqual(expect.objectContaining({ destination: '0.0.0.0/0', via: '169.254.1.1' }));
  expect(await call('DEL', 'a')).toEqual({ exit: 0, result: {} });
  expect([await records(), await podLinks(), (await host.routes()).length]).toEqual([[], 0, 2]);
});

test.each([
  ['the pair', 'create-veth'],
  ['the configuration of the pod', 'add-address'],
])('an ADD whose %s is refused gives its address back and leaves nothing', async (_what, op) => {
  await start({ podCIDR: '10.1.0.0/30' });
  network.addNamespace('/run/netns/a');
  refuse = (requests) => {
    const request = requests.find((one) => one.op === op);
    return request && new RouteError('ENOBUFS', '', request);
  };
  expect((await call('ADD', 'a')).result.code).toBe(11);
  expect([await records(), await podLinks()]).toEqual([[], 0]);
  refuse = () => undefined;
  expect(await add('a')).toBe('10.1.0.2/32');
});

test('an ADD that cannot even be undone keeps its address until DEL', async () => {
  await start({ podCIDR: '10.1.0.0/30' });
  network.addNamespace('/run/netns/a');
  network.addNamespace('/run/netns/b');
  refuse = (requests) =>
    requests.some((one) => one.op === 'create-veth' || one.op === 'delete-route')
      ? new RouteError('EPERM', '')
      : undefined;
  expect((await call('ADD', 'a')).result.code).toBe(999);
  expect(await records()).toHaveLength(1);
  refuse = () => undefined;
  expect((await call('ADD', 'b')).result.code).toBe(11);
  expect((await call('DEL', 'a')).exit).toBe(0);
  expect(await add('b')).toBe('10.1.0.2/32');
});

test('DEL is answered before the link is gone, and who needs the address or the port meanwhile waits for it', async () => {
  await start({ podCIDR: '10.1.0.0/30' });
  network.addNamespace('/run/netns/a');
  network.addNamespace('/run/netns/b');
  const port = { portMappings: [{ hostPort: 8080, containerPort: 80, protocol: 'tcp' }] };
  expect((await call('ADD', 'a', { runtimeConfig: port })).exit).toBe(0);
  const { promise: held, resolve: letGo } = Promise.withResolvers<undefined>();
  hold = (requests) => (requests.some(({ op }) => op === 'delete-links') ? held : undefined);
  expect(await call('DEL', 'a', {}, 1, false)).toEqual({ exit: 0, result: {} });
  expect([await podLinks(), (await records()).length]).toEqual([1, 1]);
  const next = call('ADD', 'b', { runtimeConfig: port });
  const again = call('DEL', 'a');
  expect(await Promise.race([next, new Promise((later) => setTimeout(later, 50, 'waits'))])).toBe('waits');
  letGo(undefined);
  expect((await next).result.ips?.[0]?.address).toBe('10.1.0.2/32');
  expect((await again).exit).toBe(0);
  expect([await podLinks(), (await records()).length]).toEqual([1, 1]);
});

test('a link that cannot be deleted behind the answer keeps its address, and is tried again', async () => {
  await start({ podCIDR: '10.1.0.0/30' });
  network.addNamespace('/run/netns/a');
  network.addNamespace('/run/netns/b');
  expect(await add('a')).toBe('10.1.0.2/32');
  refuse = (requests) => (requests.some(({ op }) => op === 'delete-links') ? new RouteError('EPERM', '') : undefined);
  expect((await call('DEL', 'a', {}, 1, false)).exit).toBe(0);
  expect((await call('ADD', 'b')).result.code).toBe(11);
  refuse = () => undefined;
  await vi.waitUntil(async () => (await records()).length === 0, { timeout: 10_000 });
  expect(await add('b')).toBe('10.1.0.2/32');
});

test("the node's changed address is noticed when the kernel refuses the old one", async () => {
  await start();
  network.addNamespace('/run/netns/a');
  let refused = false;
  refuse = (requests) => {
    const request = requests.find((one) => one.op === 'add-route');
    if (refused || request === undefined || requests[0]?.op !== 'create-veth') return undefined;
    refused = true;
    // The pair was made before the route was refused.
    void network.open().apply(requests.filter((one) => one.op !== 'add-route'));
    return new RouteError('EINVAL', 'Invalid prefsrc address', request);
  };
  expect(await add('a')).toBe('10.1.0.2/32');
});

test('a restarted agent keeps attachments and goes on behind the latest address', async () => {
  await start();
  for (const pod of ['a', 'b']) {
    network.addNamespace(`/run/netns/${pod}`);
    await add(pod);
  }
  await call('DEL', 'b');
  await restart();
  network.addNamespace('/run/netns/c');
  expect(await add('c')).toBe('10.1.0.3/32');
  expect(await records()).toHaveLength(2);
  await call('DEL', 'a');
  expect(await podLinks()).toBe(1);
});

test('pods from an earlier range live on and stay in the set of pods', async () => {
  await start();
  network.addNamespace('/run/netns/a');
  await add('a');
  await restart({ podCIDR: '10.9.0.0/24' });
  expect((await nftables.list('berth'))?.sets.get('pods')).toEqual(['10.1.0.2/32', '10.9.0.0/24']);
  // A repeated ADD comes from the range of today.
  expect(await add('a')).toBe('10.9.0.2/32');
  expect((await call('DEL', 'a')).exit).toBe(0);
  expect([await records(), await podLinks()]).toEqual([[], 0]);
});

test('a restart releases pods whose namespace is gone', async () => {
  await start({ podCIDR: '10.1.0.0/30' });
  network.addNamespace('/run/netns/a');
  await add('a');
  network.removeNamespace('/run/netns/a');
  await restart({ podCIDR: '10.1.0.0/30' });
  expect(await records()).toEqual([]);
  network.addNamespace('/run/netns/b');
  expect(await add('b')).toBe('10.1.0.2/32');
});

test('with ranges of both families a pod has an address of each, and a repeated ADD keeps both', async () => {
  network.addNamespace('/run/netns/a');
  await start({ podCIDR: ['10.1.0.0/28', 'fd00:1::/64'] });
  const { result } = await call('ADD', 'a');
  expect(result.ips?.map((ip) => ip.address)).toEqual(['10.1.0.2/32', 'fd00:1::2/128']);
  expect((await call('ADD', 'a')).result).toEqual(result);
  const pod = network.open(network.open('/run/netns/a'));
  expect(await pod.routes(6)).toContainEqual(expect.objectContaining({ destination: '::/0', via: 'fe80::1' }));
  expect(await network.open().routes(6)).toContainEqual(expect.objectContaining({ destination: 'fd00:1::2/128' }));
  expect(await call('CHECK', 'a', { prevResult: result })).toEqual({ exit: 0, result: {} });
  expect((await call('DEL', 'a')).exit).toBe(0);
  expect([await records(), await podLinks(), await network.open().routes(6)]).toEqual([[], 0, []]);
});

test('a pod from before the second family keeps what it has and its record', async () => {
  await start();
  network.addNamespace('/run/netns/a');
  await add('a');
  const path = join(config.runDir, 'attachments', (await records())[0] ?? '');
  const record = await readFile(path, 'utf8');
  expect(JSON.parse(record)).toMatchObject({ addresses: ['10.1.0.2'] });
  await restart({ podCIDR: ['10.1.0.0/28', 'fd00:1::/64'] });
  expect(await readFile(path, 'utf8')).toBe(record);
  expect(await podLinks()).toBe(1);
  // A repeated ADD is a new pod network, with both.
  expect((await call('ADD', 'a')).result.ips?.map((ip) => ip.address)).toEqual(['10.1.0.2/32', 'fd00:1::2/128']);
  expect(JSON.parse(await readFile(path, 'utf8'))).toMatchObject({ addresses: ['10.1.0.2', 'fd00:1::2'] });
});

test('of several ranges of a family the next is used when one is full', async () => {
  await start({ podCIDR: ['10.1.0.0/30', '10.1.0.16/30'] });
  for (const [pod, address] of [
    ['a', '10.1.0.2/32'],
    ['b', '10.1.0.18/32'],
  ] as const) {
    network.addNamespace(`/run/netns/${pod}`);
    expect(await add(pod)).toBe(address);
  }
  network.addNamespace('/run/netns/c');
  const { result } = await call('ADD', 'c');
  expect([result.code, result.msg]).toEqual([
    11,
    'no free address in 10.1.0.0/30, 10.1.0.16/30: all 2 are used by pods of this node',
  ]);
});

test('a requested address and MAC are given, and refused when they cannot be; nothing is lost by that', async () => {
  await start({ podCIDR: ['10.1.0.0/28', 'fd00:1::/64'] });
  for (const pod of ['a', 'b']) network.addNamespace(`/run/netns/${pod}`);
  const runtimeConfig = { ips: ['fd00:1::9', '10.1.0.7/28'], mac: '02:11:22:33:44:55' };
  const { result } = await call('ADD', 'a', { runtimeConfig });
  expect(result.ips?.map((ip) => ip.address)).toEqual(['10.1.0.7/32', 'fd00:1::9/128']);
  expect((await network.open(network.open('/run/netns/a')).link('eth0'))?.mac).toBe('02:11:22:33:44:55');
  const refused = async (ips: readonly string[]): Promise<unknown> =>
    (await call('ADD', 'b', { runtimeConfig: { ips } })).result.code;
  expect(await refused(['10.1.0.5', 'fd00:1::9'])).toBe(11);
  expect(await refused(['10.1.0.5', '10.9.0.1'])).toBe(7);
  expect(await refused(['10.1.0.5', '10.1.0.6'])).toBe(7);
  expect(await refused(['10.1.0.15'])).toBe(7);
  expect(await records()).toHaveLength(1);
  expect((await call('ADD', 'b', { runtimeConfig: { ips: ['10.1.0.5'] } })).result.ips?.[0]?.address).toBe(
    '10.1.0.5/32',
  );
});

describe('ports of the node', () => {
  const port = (hostPort: number, more: Record<string, unknown> = {}): Record<string, unknown> => ({
    runtimeConfig: { portMappings: [{ hostPort, containerPort: 80, ...more }] },
  });
  const elements = async (): Promise<Record<string, readonly string[]>> =>
    Object.fromEntries(
      [...((await nftables.list('berth'))?.sets ?? [])].filter(
        ([name, list]) => /port|hairpin/.test(name) && list.length > 0,
      ),
    );

  beforeEach(() => {
    for (const pod of ['a', 'b', 'c']) network.addNamespace(`/run/netns/${pod}`);
  });

  test('lead to the pod until its DEL, also after a restart and a foreign flush', async () => {
    const both = { podCIDR: ['10.1.0.0/28', 'fd00:1::/64'] };
    await start(both);
    expect((await call('ADD', 'a', port(8080))).exit).toBe(0);
    const there = {
      ports: ['tcp . 8080 : 10.1.0.2 . 80'],
      ports6: ['tcp . 8080 : fd00:1::2 . 80'],
      hairpin: ['10.1.0.2 . 10.1.0.2'],
      hairpin6: ['fd00:1::2 . fd00:1::2'],
    };
    expect(await elements()).toEqual(there);
    await nftables.run([{ op: 'delete-table', table: 'berth' }]);
    await restart(both);
    expect(await elements()).toEqual(there);
    expect((await call('DEL', 'a')).exit).toBe(0);
    expect(await elements()).toEqual({});
    expect((await call('ADD', 'b', port(8080))).exit).toBe(0);
    await nftables.run([{ op: 'delete-table', table: 'berth' }]);
    expect((await call('DEL', 'b')).exit).toBe(0);
    expect(await records()).toEqual([]);
  });

  test('are refused to a second pod with the name of the first, and nothing of that one is touched', async () => {
    await start();
    expect((await call('ADD', 'a', port(8080))).exit).toBe(0);
    const before = await elements();
    const { result } = await call('ADD', 'b', port(8080));
    expect([result.code, result.msg]).toEqual([11, 'tcp port 8080 of the node is in use by container a/eth0']);
    expect(await records()).toHaveLength(1);
    expect((await call('DEL', 'b')).exit).toBe(0);
    expect(await elements()).toEqual(before);
    await restart();
    expect((await call('ADD', 'b', port(8080))).result.code).toBe(11);
    await call('DEL', 'a');
    expect((await call('ADD', 'b', port(8080))).exit).toBe(0);
    // Its late DEL comes again and finds nothing of its own.
    await call('DEL', 'a');
    expect((await elements())['ports']).toHaveLength(1);
  });

  test('with other protocols or addresses are others; without address it is all addresses', async () => {
    await start();
    expect((await call('ADD', 'a', port(53, { hostIP: '192.0.2.1' }))).exit).toBe(0);
    expect((await call('ADD', 'b', port(53, { hostIP: '192.0.2.9' }))).exit).toBe(0);
    expect((await call('ADD', 'c', port(53, { hostIP: '0.0.0.0' }))).result.code).toBe(11);
    expect((await call('ADD', 'c', port(53, { protocol: 'sctp' }))).exit).toBe(0);
    expect((await elements())['addressports']).toEqual([
      '192.0.2.1 . tcp . 53 : 10.1.0.2 . 80',
      '192.0.2.9 . tcp . 53 : 10.1.0.3 . 80',
    ]);
  });

  test('that contradict themselves are refused and cost nothing', async () => {
    await start({ podCIDR: '10.1.0.0/30' });
    const twice = { runtimeConfig: { portMappings: [1, 2].map((containerPort) => ({ hostPort: 9, containerPort })) } };
    expect((await call('ADD', 'a', twice)).result.code).toBe(7);
    expect((await call('ADD', 'a', port(9, { hostIP: 'fd00::1' }))).result.code).toBe(7);
    expect((await call('ADD', 'a', port(9))).exit).toBe(0);
  });

  test('over UDP: flows to the node and to the pod are forgotten on ADD and DEL, flows through the node are not', async () => {
    await start();
    const through = { destination: '203.0.113.5', port: 53, replySource: '203.0.113.5' };
    flows = [{ destination: '192.0.2.1', port: 53, replySource: '192.0.2.1' }, through];
    await call('ADD', 'a', port(53, { protocol: 'udp' }));
    expect(flows).toEqual([through]);
    flows.push({ destination: '192.0.2.1', port: 53, replySource: '10.1.0.2' });
    await call('DEL', 'a');
    expect(flows).toEqual([through]);
  });

  test('over UDP: a kernel that does not forget flows keeps no DEL from ending', async () => {
    await start();
    await call('ADD', 'a', port(53, { protocol: 'udp' }));
    flows = [{ destination: '192.0.2.1', port: 53, replySource: '10.1.0.2' }];
    broken = true;
    expect((await call('ADD', 'b', port(54, { protocol: 'udp' }))).exit).toBe(1);
    expect((await call('DEL', 'a')).exit).toBe(0);
    expect([await elements(), await records()]).toEqual([{}, []]);
  });

  test('CHECK misses a mapping that somebody removed', async () => {
    await start();
    const { result } = await call('ADD', 'a', port(8080));
    expect((await call('CHECK', 'a', { prevResult: result })).exit).toBe(0);
    const [element = ''] = (await elements())['ports'] ?? [];
    await nftables.run([{ op: 'delete-elements', table: 'berth', set: 'ports', elements: [element] }]);
    expect((await call('CHECK', 'a', { prevResult: result })).result.code).toBe(100);
  });
});

test('it is not ready before it starts, when the range is used up, and after it stops', async () => {
  const service = await start({ podCIDR: '10.1.0.0/30' });
  expect(service.notReady()).toBeUndefined();
  network.addNamespace('/run/netns/a');
  await add('a');
  expect(service.notReady()).toContain('no free address in 10.1.0.0/30');
  await service.stop(AbortSignal.timeout(1_000));
  expect(service.notReady()).toBe('the pod network has not started');
});

test('an executable of another protocol is told so', async () => {
  await start();
  const { exit, result } = await call('ADD', 'a', {}, 2);
  expect([exit, result.code]).toEqual([1, 11]);
  expect(result.msg).toContain('the agent speaks protocol 1, the executable 2');
});

test('a connection that sends nonsense gets an answer and harms nobody', async () => {
  await start();
  await new Promise<void>((resolve) => {
    const socket = connect(join(config.runDir, 'cni.sock'), () => socket.write(Buffer.alloc(64, 0xff)));
    socket.on('error', () => undefined);
    socket.on('close', () => {
      resolve();
    });
    socket.resume();
  });
  network.addNamespace('/run/netns/a');
  expect(await add('a')).toBe('10.1.0.2/32');
});

test('an agent that stops leaves the socket of its successor alone', async () => {
  const before = await start();
  const after = await start();
  await before.stop(AbortSignal.timeout(1_000));
  network.addNamespace('/run/netns/a');
  expect(await add('a')).toBe('10.1.0.2/32');
  await after.stop(AbortSignal.timeout(1_000));
  expect(await readdir(config.runDir)).toEqual(['attachments']);
});

test('a start that fails leaves no socket and can be repeated', async () => {
  await rm(join(folder, 'shim'));
  await expect(start()).rejects.toMatchObject({ code: 'IO_FAILED' });
  expect(await readdir(config.runDir)).toEqual(['attachments']);
  await writeFile(join(folder, 'shim'), 'program');
  await start();
  expect((await readdir(config.runDir)).sort()).toEqual(['attachments', 'cni.sock']);
});

describe('a record that cannot be read', () => {
  beforeEach(() => {
    for (const pod of 'abcdefg') network.addNamespace(`/run/netns/${pod}`);
  });
  async function damage(change: (text: string) => string): Promise<void> {
    const file = join(config.runDir, 'attachments', recordName({ containerID: 'a', ifname: 'eth0' }));
    await writeFile(file, change(await readFile(file, 'utf8')));
  }
  const cut = (text: string): string => text.slice(0, -1);
  const newer = (text: string): string => JSON.stringify({ ...(JSON.parse(text) as object), format: 5, more: true });
  const flipped = (text: string): string => text.replace('10.1.0.2', '10.1.0.3');

  test.each([
    ['cut', cut],
    ['of a newer agent', newer],
    ['with another address', flipped],
  ])('%s: its pod keeps link and address, which nobody else gets, until its DEL', async (_what, change) => {
    await start({ podCIDR: '10.1.0.0/29' });
    expect((await call('ADD', 'a')).result.ips?.[0]?.address).toBe('10.1.0.2/32');
    for (const service of running.splice(0)) await service.stop(AbortSignal.timeout(1_000));
    await damage(change);
    await start({ podCIDR: '10.1.0.0/29' });
    const given = new Set<string | undefined>();
    for (const pod of ['b', 'c', 'd', 'e', 'f']) given.add((await call('ADD', pod)).result.ips?.[0]?.address);
    expect(given).not.toContain('10.1.0.2/32');
    expect((await network.open().links()).filter(({ alias }) => alias === 'berth:a/eth0')).toHaveLength(1);
    expect((await call('DEL', 'a')).exit).toBe(0);
    expect((await network.open().links()).filter(({ alias }) => alias === 'berth:a/eth0')).toEqual([]);
    expect((await call('ADD', 'g')).result.ips?.[0]?.address).toMatch(/^10\.1\.0\.[23]\/32$/);
    for (const pod of ['b', 'c', 'd', 'e', 'f', 'g']) await call('DEL', pod);
    expect(await records()).toEqual([]);
  });

  test.each([
    ['cut', cut],
    ['of a newer agent', newer],
  ])('%s: a repeated ADD replaces it', async (_what, change) => {
    await start({ podCIDR: '10.1.0.0/30' });
    await call('ADD', 'a');
    for (const service of running.splice(0)) await service.stop(AbortSignal.timeout(1_000));
    await damage(change);
    await start({ podCIDR: '10.1.0.0/30' });
    expect((await call('ADD', 'b')).result.code).toBe(11);
    expect((await call('ADD', 'a')).result.ips?.[0]?.address).toBe('10.1.0.2/32');
    expect(await records()).toHaveLength(1);
  });

  test('wherever it is cut, its address is given to nobody else', async () => {
    await start({ podCIDR: '10.1.0.0/30' });
    await call('ADD', 'a');
    const file = join(config.runDir, 'attachments', recordName({ containerID: 'a', ifname: 'eth0' }));
    const whole = await readFile(file, 'utf8');
    for (let length = 0; length < whole.length; length++) {
      for (const service of running.splice(0)) await service.stop(AbortSignal.timeout(1_000));
      await writeFile(file, whole.slice(0, length));
      await start({ podCIDR: '10.1.0.0/30' });
      expect((await call('ADD', 'b')).result.code, `cut to ${length} bytes`).toBe(11);
    }
  }, 60_000);
});

test('an address comes back when the namespace and the link of its pod have gone without a DEL', async () => {
  await start({ podCIDR: '10.1.0.0/30' });
  network.addNamespace('/run/netns/a');
  network.addNamespace('/run/netns/b');
  await call('ADD', 'a');
  expect((await call('ADD', 'b')).result.code).toBe(11);
  network.removeNamespace('/run/netns/a');
  await vi.waitUntil(async () => (await records()).length === 0, { timeout: 20_000, interval: 10 });
  await vi.waitUntil(async () => (await call('ADD', 'b')).exit === 0, { timeout: 20_000, interval: 10 });
});

test('STATUS tells a table that cannot be made from a pool that is used up', async () => {
  await start({ podCIDR: '10.1.0.0/30' });
  network.addNamespace('/run/netns/a');
  await call('ADD', 'a');
  expect((await call('STATUS', '')).result.code).toBe(50);
  vi.spyOn(nftables, 'generation').mockRejectedValue(new Error('nf_tables is gone'));
  await vi.waitUntil(async () => (await call('STATUS', '')).result.code === 51, { timeout: 20_000, interval: 50 });
  expect((await call('STATUS', '')).result.msg).toContain('table is broken and cannot be restored: nf_tables is gone');
  vi.restoreAllMocks();
  await vi.waitUntil(async () => (await call('STATUS', '')).result.code === 50, { timeout: 20_000, interval: 50 });
}, 60_000);
