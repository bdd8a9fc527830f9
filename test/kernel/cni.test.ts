// The pod network in real namespaces: the executable, the agent in a namespace that plays the node, and packets.
import { execFileSync } from 'node:child_process';
import {
  existsSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  readlinkSync,
  rmSync,
  statSync,
  writeFileSync,
  symlinkSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { buildExecutable } from '../../cni/executable/build.ts';
import { TestNode, addressOf, addressesOf } from './cni/node.ts';

const folder = mkdtempSync(join(tmpdir(), 'berth-shim-'));
const shim = join(folder, 'berth');
// Those of single tests, and the one for all tests that leave their agent alone: starting one takes a second.
const nodes: TestNode[] = [];
let shared: TestNode | undefined;
let machine = '';

/** What the machine's own namespace has: the tests must leave it as it is. */
function machineState(): string {
  const links = JSON.parse(execFileSync('ip', ['-json', 'link', 'show'], { encoding: 'utf8' })) as { ifname: string }[];
  const tables = execFileSync('nft', ['list', 'tables'], { encoding: 'utf8' });
  return JSON.stringify([links.filter((link) => /^veth[0-9a-f]{11}$/.test(link.ifname)), /inet berth\b/.test(tables)]);
}

beforeAll(async () => {
  machine = machineState();
  await buildExecutable(shim);
});
afterAll(() => {
  shared?.dispose();
  rmSync(folder, { recursive: true });
});
afterEach(async () => {
  await shared?.clear();
  for (const node of nodes.splice(0)) node.dispose();
  expect(machineState()).toBe(machine);
});

async function common(): Promise<TestNode> {
  if (shared === undefined) {
    shared = new TestNode(shim);
    await shared.startAgent();
  }
  return shared;
}

async function start(podCIDR?: string | readonly string[]): Promise<TestNode> {
  const node = new TestNode(shim, podCIDR);
  nodes.push(node);
  await node.startAgent();
  return node;
}

function codeOf(answer: { readonly stdout: string }): unknown {
  return (JSON.parse(answer.stdout) as { readonly code?: number }).code;
}

function expectNothingLeft(node: TestNode): void {
  expect(node.podLinks()).toEqual([]);
  expect(node.podRoutes()).toEqual([]);
  expect(node.records()).toEqual([]);
}

describe('packets', () => {
  test("flow between node and pod, pod and pod with their own addresses, and to the world with the node's", async () => {
    const node = await common();
    const [one, two] = [await node.addPod('one'), await node.addPod('two')];
    await Promise.all(['one', 'two', 'node', 'world'].map((namespace) => node.serve(namespace)));
    expect(await node.ask('node', one)).toBe(node.nodeAddress);
    expect(await node.ask('one', node.nodeAddress)).toBe(one);
    expect(await node.ask('one', two)).toBe(one);
    expect(await node.ask('two', one)).toBe(two);
    expect(await node.ask('one', node.worldAddress)).toBe(node.nodeAddress);
    expect(await node.ask('one', '127.0.0.1')).toBe('127.0.0.1');
  });

  test('without masquerade pods reach the world with their own address', async () => {
    const node = new TestNode(shim);
    nodes.push(node);
    await node.startAgent('', { masquerade: false });
    node.ip('world', 'route', 'add', '10.244.7.0/24', 'via', node.nodeAddress);
    const one = await node.addPod('one');
    await node.serve('world');
    expect(await node.ask('one', node.worldAddress)).toBe(one);
  });

  test('a connection survives a killed agent, its restart, and an ADD and DEL of another pod', async () => {
    const node = await start();
    const [one, two] = [await node.addPod('one'), await node.addPod('two')];
    await node.serve('two');
    const held = await node.hold('one', two);
    const say = async (): Promise<string> => {
      held.process.stdin?.write('still there?\n');
      return await held.line();
    };
    expect(await say()).toBe(one);
    await node.stopAgent('SIGKILL');
    expect(await say()).toBe(one);
    await node.startAgent();
    expect(await say()).toBe(one);
    await node.addPod('three');
    expect((await node.del('three')).exit).toBe(0);
    expect(await say()).toBe(one);
    for (const pod of ['one', 'two']) expect(await node.del(pod)).toEqual({ exit: 0, stdout: '' });
    expectNothingLeft(node);
  });
});

describe('both families', () => {
  const ranges = ['10.244.7.0/24', 'fd00:7::/64'];

  test('packets flow with the right addresses, at once, and routers are not believed', async () => {
    const node = await start(ranges);
    for (const pod of ['one', 'two']) node.addNamespace(pod);
    const [one, two] = [await node.add('one'), await node.add('two')].map((answer) => addressesOf(answer)) as [
      [string, string],
      [string, string],
    ];
    expect([one[1], two[1]]).toEqual(['fd00:7::2', 'fd00:7::3']);
    expect(node.ip('one', '-6', 'address', 'show', 'dev', 'eth0')).not.toMatch(/tentative|fe80/);
    await Promise.all(['one', 'two', 'node', 'world'].map((namespace) => node.serve(namespace)));
    for (const at of [0, 1] as const) {
      const [nodeAddress, worldAddress] = [
        [node.nodeAddress, node.nodeAddress6][at]!,
        [node.worldAddress, node.worldAddress6][at]!,
      ];
      expect(await node.ask('node', one[at])).toBe(nodeAddress);
      expect(await node.ask('one', nodeAddress)).toBe(one[at]);
      expect(await node.ask('one', two[at])).toBe(one[at]);
      expect(await node.ask('one', worldAddress)).toBe(nodeAddress);
    }
    const accept = execFileSync('ip', [
      'netns',
      'exec',
      node.name('one'),
      'cat',
      '/proc/sys/net/ipv6/conf/eth0/accept_ra',
    ]);
    expect(accept.toString()).toBe('0\n');
    for (const pod of ['one', 'two']) expect((await node.del(pod)).exit).toBe(0);
    expectNothingLeft(node);
    expect(node.ip('node', '-6', 'route', 'show')).not.toContain('fd00:7::');
  });

  test('a pod attached before the node had IPv6 keeps its connections, and new ones get both', async () => {
    const node = await start();
    const [one, two] = [await node.addPod('one'), await node.addPod('two')];
    await node.serve('two');
    const held = await node.hold('one', two);
    await node.stopAgent('SIGKILL');
    await node.startAgent('', { podCIDR: [...ranges] });
    held.process.stdin?.write('still there?\n');
    expect(await held.line()).toBe(one);
    node.addNamespace('three');
    expect(addressesOf(await node.add('three'))).toEqual(['10.244.7.4', 'fd00:7::2']);
    for (const pod of ['one', 'two', 'three']) expect((await node.del(pod)).exit).toBe(0);
    expectNothingLeft(node);
  });

  test('CHECK notices a lost IPv6 route at either end, and a restart gives the node its own back', async () => {
    const node = await start(ranges);
    node.addNamespace('one');
    const answer = await node.add('one', { runtimeConfig: { ips: ['fd00:7::77'], mac: '02:11:22:33:44:55' } });
    const prevResult: unknown = JSON.parse(answer.stdout);
    const check = (): Promise<{ exit: number; stdout: string }> =>
      node.cni('CHECK', node.variables('one'), { prevResult });
    expect(await check()).toEqual({ exit: 0, stdout: '' });
    expect(node.ip('one', 'link', 'show', 'eth0')).toContain('02:11:22:33:44:55');
    node.ip('node', '-6', 'route', 'del', 'fd00:7::77');
    expect((await check()).stdout).toContain('the node has no route to fd00:7::77');
    await node.stopAgent();
    await node.startAgent('', { podCIDR: [...ranges] });
    expect(await check()).toEqual({ exit: 0, stdout: '' });
    node.ip('one', '-6', 'route', 'del', 'default');
    expect((await check()).stdout).toContain('there is no route to ::/0 over fe80::1');
  });
});

describe('ports of the node', () => {
  const mapped = (hostPort: number, more: Record<string, unknown> = {}): Record<string, unknown> => ({
    runtimeConfig: { portMappings: [{ hostPort, containerPort: 7700, ...more }] },
  });

  test('lead to the pod from the world, the node, 127.0.0.1, another pod and the pod itself, until DEL', async () => {
    const node = await start(['10.244.7.0/24', 'fd00:7::/64']);
    for (const pod of ['one', 'two']) node.addNamespace(pod);
    const one = addressesOf(await node.add('one', mapped(8080, { protocol: 'tcp' })));
    const two = addressOf(await node.add('two'));
    await node.serve('one');
    // Where the pod sees a caller from: the world and other pods keep their address, the node's own and the pod's cannot.
    expect(await node.ask('world', node.nodeAddress, 8080)).toBe(node.worldAddress);
    expect(await node.ask('world', node.nodeAddress6, 8080)).toBe(node.worldAddress6);
    expect(await node.ask('two', node.nodeAddress, 8080)).toBe(two);
    expect(await node.ask('node', node.nodeAddress, 8080)).toBe(node.nodeAddress);
    expect(await node.ask('node', node.nodeAddress6, 8080)).toBe(node.nodeAddress6);
    expect(await node.ask('node', '127.0.0.1', 8080)).toBe(node.nodeAddress);
    expect(await node.ask('one', node.nodeAddress, 8080)).toMatch(/^[0-9.]+$/);
    expect(await node.ask('one', node.nodeAddress6, 8080)).toMatch(/^[0-9a-f:]+$/);
    // The port is the node's and not the pod's, and not of a machine behind the node.
    expect(await node.ask('node', one[0]!, 8080)).toContain('ECONNREFUSED');
    expect(await node.ask('two', node.worldAddress, 8080)).toContain('ECONNREFUSED');
    expect(node.nft('list', 'table', 'inet', 'berth')).toContain(`tcp . 8080 : ${one[0]} . 7700`);
    await node.stopAgent('SIGKILL');
    await node.startAgent('', { podCIDR: ['10.244.7.0/24', 'fd00:7::/64'] });
    expect(await node.ask('world', node.nodeAddress, 8080)).toBe(node.worldAddress);
    expect((await node.del('one')).exit).toBe(0);
    expect(await node.ask('world', node.nodeAddress, 8080)).toContain('ECONNREFUSED');
    expect(node.nft('list', 'table', 'inet', 'berth')).not.toContain('8080');
  }, 120_000);

  test('over UDP a second pod takes over a flow that never paused', async () => {
    const node = await common();
    for (const pod of ['one', 'two']) node.addNamespace(pod);
    const udp = mapped(8053, { protocol: 'udp', hostIP: node.nodeAddress });
    expect((await node.add('one', udp)).exit).toBe(0);
    await node.talk('one', 'serve-udp', 'one');
    const client = await node.talk('world', 'hold-udp', node.nodeAddress, '8053');
    client.process.stdin?.write('who?\n');
    expect(await client.line()).toBe('one');
    expect((await node.add('two', udp)).stdout).toContain('udp port 8053 of the node is in use by pod default/one');
    expect((await node.del('one')).exit).toBe(0);
    // It goes to the node itself now, which is a flow, too.
    client.process.stdin?.write('nobody?\n');
    expect((await node.add('two', udp)).exit).toBe(0);
    await node.talk('two', 'serve-udp', 'two');
    client.process.stdin?.write('who?\n');
    expect(await client.line()).toBe('two');
  }, 60_000);
});

describe('ADD', () => {
  test.each(['0.3.0', '0.3.1', '0.4.0', '1.0.0', '1.1.0'])('answers in the form of version %s', async (cniVersion) => {
    const node = await common();
    node.addNamespace('one');
    const answer = await node.add('one', { cniVersion });
    const result = JSON.parse(answer.stdout) as Record<string, unknown>;
    const mtu = cniVersion === '1.1.0' ? { mtu: 1400 } : {};
    expect(result).toEqual({
      cniVersion,
      interfaces: [
        {
          name: expect.stringMatching(/^veth[0-9a-f]{11}$/) as string,
          mac: expect.stringMatching(/^02:/) as string,
          ...mtu,
        },
        { name: 'eth0', mac: expect.stringMatching(/^02:/) as string, sandbox: node.path('one'), ...mtu },
      ],
      ips: [
        {
          ...(cniVersion.startsWith('0.') ? { version: '4' } : {}),
          address: expect.stringMatching(/^10\.244\.7\.\d+\/32$/) as string,
          gateway: '169.254.1.1',
          interface: 1,
        },
      ],
      routes: [{ dst: '0.0.0.0/0', gw: '169.254.1.1' }],
    });
    const links = JSON.parse(node.ip('one', '-json', 'link', 'show')) as {
      ifname: string;
      address: string;
      mtu: number;
    }[];
    expect(links.find((link) => link.ifname === 'eth0')).toMatchObject({
      mtu: 1400,
      address: (result['interfaces'] as { mac: string }[])[1]!.mac,
    });
    const check = await node.cni('CHECK', node.variables('one'), { cniVersion, prevResult: result });
    if (cniVersion.startsWith('0.3.')) expect(codeOf(check)).toBe(1);
    else expect(check.exit).toBe(0);
  });

  test.each(['0.1.0', '0.2.0'])('answers in the form of version %s', async (cniVersion) => {
    const node = await common();
    node.addNamespace('one');
    expect(JSON.parse((await node.add('one', { cniVersion })).stdout)).toEqual({
      cniVersion,
      ip4: {
        ip: expect.stringMatching(/^10\.244\.7\.\d+\/32$/) as string,
        gateway: '169.254.1.1',
        routes: [{ dst: '0.0.0.0/0', gw: '169.254.1.1' }],
      },
    });
    expect((await node.cni('DEL', node.variables('one'), { cniVersion })).exit).toBe(0);
    expectNothingLeft(node);
  });

  test('repeated, gives the same answer and a working pod', async () => {
    const node = await common();
    node.addNamespace('one');
    const first = await node.add('one');
    expect(await node.add('one')).toEqual(first);
    await node.serve('one');
    expect(await node.ask('node', addressOf(first))).toBe(node.nodeAddress);
    expect(node.podLinks()).toHaveLength(1);
    expect(node.records()).toHaveLength(1);
  });

  test('refuses an interface name that something else has, and leaves nothing', async () => {
    const node = await common();
    node.addNamespace('one');
    node.ip('one', 'link', 'add', 'eth0', 'type', 'veth', 'peer', 'other');
    const answer = await node.add('one');
    expect(answer.exit).toBe(1);
    expect(codeOf(answer)).toBe(4);
    expect(answer.stdout).toContain('has an interface eth0 that berth did not make');
    expectNothingLeft(node);
    expect(node.ip('one', 'link', 'show', 'eth0')).toContain('eth0');
  });

  test('names an exhausted range, and STATUS says so too, until a pod goes', async () => {
    const node = await start('10.244.7.0/30');
    await node.addPod('one');
    node.addNamespace('two');
    const answer = await node.add('two');
    expect(codeOf(answer)).toBe(11);
    expect(answer.stdout).toContain('no free address in 10.244.7.0/30');
    const status = await node.cni('STATUS', {});
    expect([status.exit, codeOf(status)]).toEqual([1, 50]);
    await node.del('one');
    expect(await node.cni('STATUS', {})).toEqual({ exit: 0, stdout: '' });
    expect(addressOf(await node.add('two'))).toBe('10.244.7.2');
  });

  test('thirty at once get thirty addresses, and thirty DELs at once take them away', async () => {
    const node = await common();
    const pods = Array.from({ length: 30 }, (_, at) => `pod${at}`);
    for (const pod of pods) node.addNamespace(pod);
    const addresses = await Promise.all(pods.map(async (pod) => addressOf(await node.add(pod))));
    expect(new Set(addresses).size).toBe(30);
    expect(node.podRoutes()).toHaveLength(30);
    const answers = await Promise.all(pods.map((pod) => node.del(pod)));
    expect(answers.every((answer) => answer.exit === 0)).toBe(true);
    expectNothingLeft(node);
  });
});

describe('DEL', () => {
  test('takes everything from both ends, and again without complaint', async () => {
    const node = await common();
    await node.addPod('one');
    expect(await node.del('one')).toEqual({ exit: 0, stdout: '' });
    expect(node.ip('one', 'link', 'show')).not.toContain('eth0');
    expectNothingLeft(node);
    expect(await node.del('one')).toEqual({ exit: 0, stdout: '' });
  });

  test.each([
    ['with an empty CNI_NETNS', (node: TestNode) => node.del('one', { CNI_NETNS: '' })],
    [
      'when the namespace has gone',
      (node: TestNode) => {
        node.removeNamespace('one');
        return node.del('one');
      },
    ],
    ['of a container nobody knows', (node: TestNode) => node.del('one').then(() => node.del('nobody'))],
  ])('succeeds %s', async (_when, act) => {
    const node = await common();
    await node.addPod('one');
    expect(await act(node)).toEqual({ exit: 0, stdout: '' });
    expectNothingLeft(node);
  });
});

describe('what is refused', () => {
  test.each<[string, string, Record<string, string>, Record<string, unknown>, number]>([
    ['an unknown version', 'ADD', {}, { cniVersion: '9.0.0' }, 1],
    ['GC before 1.1.0', 'GC', {}, { cniVersion: '1.0.0' }, 1],
    ['STATUS before 1.1.0', 'STATUS', {}, { cniVersion: '0.4.0' }, 1],
    ['an unknown operation', 'JUMP', {}, {}, 4],
    ['a container ID with a path', 'ADD', { CNI_CONTAINERID: '../x' }, {}, 4],
    ['an empty container ID', 'DEL', { CNI_CONTAINERID: '' }, {}, 4],
    ['a container ID of 4 KiB', 'ADD', { CNI_CONTAINERID: 'x'.repeat(4096) }, {}, 4],
    ['an interface name the kernel counts with', 'ADD', { CNI_IFNAME: 'eth%d' }, {}, 4],
    ['an interface name of 16 bytes', 'ADD', { CNI_IFNAME: 'x'.repeat(16) }, {}, 4],
    ['no namespace', 'ADD', { CNI_NETNS: '' }, {}, 4],
    ['a namespace that is not there', 'ADD', { CNI_NETNS: '/run/netns/not-there' }, {}, 4],
    ['a namespace that is a folder', 'ADD', { CNI_NETNS: '/etc' }, {}, 4],
    ['a namespace that is a device', 'ADD', { CNI_NETNS: '/dev/zero' }, {}, 4],
    ['a namespace that is a file', 'ADD', { CNI_NETNS: '/etc/passwd' }, {}, 4],
    ['a namespace of another kind', 'ADD', { CNI_NETNS: '/proc/self/ns/mnt' }, {}, 4],
    ["the node's own namespace", 'ADD', { CNI_NETNS: '/proc/self/ns/net' }, {}, 8],
    [
      'a plugin before us that made the interface',
      'ADD',
      {},
      { prevResult: { interfaces: [{ name: 'eth0', sandbox: '/run/netns/one' }] } },
      7,
    ],
    [
      'a result of a plugin before us that does not fit together',
      'ADD',
      {},
      { prevResult: { ips: [{ address: '10.0.0.1/24', interface: 0 }] } },
      7,
    ],
    ['a name server of two lines', 'ADD', {}, { dns: { nameservers: ['10.0.0.1\nsearch evil'] } }, 7],
    ['a network name with a slash', 'ADD', {}, { name: 'a/b' }, 7],
    ['CHECK without prevResult', 'CHECK', {}, {}, 7],
    ['CHECK of what is not attached', 'CHECK', {}, { prevResult: { ips: [] } }, 100],
  ])('%s', async (_what, command, variables, config, code) => {
    const node = await common();
    node.addNamespace('one');
    const answer = await node.cni(command, { ...node.variables('one'), ...variables }, config);
    expect([answer.exit, codeOf(answer)]).toEqual([1, code]);
    expectNothingLeft(node);
  });

  test('more on standard input than the agent takes', async () => {
    const node = await common();
    const answer = await node.execute('ADD', node.variables('one'), 'x'.repeat(10 * 1024 * 1024));
    expect([answer.exit, codeOf(answer)]).toEqual([1, 6]);
  });
});

describe('CHECK and GC', () => {
  test('CHECK notices what was taken away behind our back', async () => {
    const node = await common();
    node.addNamespace('one');
    const prevResult: unknown = JSON.parse((await node.add('one')).stdout);
    const check = (): Promise<{ exit: number; stdout: string }> =>
      node.cni('CHECK', node.variables('one'), { prevResult });
    expect(await check()).toEqual({ exit: 0, stdout: '' });
    node.ip('one', 'route', 'del', 'default');
    expect(codeOf(await check())).toBe(100);
    node.ip('one', 'link', 'del', 'eth0');
    expect(codeOf(await check())).toBe(100);
  });

  test('GC removes what is not in the list, nothing without a list, everything with an empty one', async () => {
    const node = await common();
    for (const pod of ['one', 'two', 'three']) await node.addPod(pod);
    expect((await node.cni('GC', {})).exit).toBe(0);
    expect(node.records()).toHaveLength(3);
    const valid = [
      { containerID: 'container-one', ifname: 'eth0' },
      { containerID: 'container-two', ifname: 'eth0' },
    ];
    expect((await node.cni('GC', {}, { 'cni.dev/valid-attachments': valid })).exit).toBe(0);
    expect(node.podRoutes()).toHaveLength(2);
    expect((await node.cni('GC', {}, { name: 'other', 'cni.dev/attachments': [] })).exit).toBe(0);
    expect(node.records()).toHaveLength(2);
    expect((await node.cni('GC', {}, { 'cni.dev/attachments': [] })).exit).toBe(0);
    expectNothingLeft(node);
  });
});

test('a pipe, a socket or a circle of links for a namespace is refused, and the agent goes on', async () => {
  const node = await start();
  execFileSync('mkfifo', [join(node.folder, 'pipe')]);
  symlinkSync('circle', join(node.folder, 'circle'));
  for (const path of [join(node.folder, 'pipe'), join(node.folder, 'circle'), join(node.config.runDir, 'cni.sock')])
    expect(codeOf(await node.cni('ADD', { ...node.variables('one'), CNI_NETNS: path })), path).toBe(4);
  expect(await node.cni('STATUS', {})).toEqual({ exit: 0, stdout: '' });
});

describe('an agent killed', () => {
  test.each(['create:before', 'create:after', 'sandbox:before', 'sandbox:after'])(
    'in ADD at %s: the restarted one has undone it, and the repeated ADD works',
    async (point) => {
      const node = new TestNode(shim);
      nodes.push(node);
      await node.startAgent(point);
      node.addNamespace('one');
      expect(codeOf(await node.add('one'))).toBe(11);
      await node.agentEnd();
      expect(node.records()).toHaveLength(1);
      await node.startAgent();
      expectNothingLeft(node);
      const address = addressOf(await node.add('one'));
      await node.serve('one');
      expect(await node.ask('node', address)).toBe(node.nodeAddress);
      expect((await node.del('one')).exit).toBe(0);
      expectNothingLeft(node);
    },
  );

  test.each(['release:before', 'release:after', 'delete:before', 'delete:after'])(
    'in DEL at %s: the restarted one has finished it, and the repeated DEL succeeds',
    async (point) => {
      const node = await start();
      await node.addPod('one');
      await node.stopAgent();
      await node.startAgent(point);
      // Queued when the connection broke, or answered before the link was to go.
      expect(await node.del('one')).toEqual({ exit: 0, stdout: '' });
      await node.agentEnd();
      await node.startAgent();
      expectNothingLeft(node);
      const queue = join(node.config.runDir, 'queue');
      expect(existsSync(queue) ? readdirSync(queue) : []).toEqual([]);
      expect(await node.del('one')).toEqual({ exit: 0, stdout: '' });
    },
  );

  test('finds pods gone meanwhile, repairs a lost route, removes links nobody owns, and leaves strangers alone', async () => {
    const node = await start();
    const [one] = [await node.addPod('one'), await node.addPod('two')];
    await node.addPod('three');
    await node.stopAgent('SIGKILL');
    node.removeNamespace('two');
    node.ip('node', 'route', 'del', one);
    const record = readdirSync(join(node.config.runDir, 'attachments')).find((name) =>
      readFileSync(join(node.config.runDir, 'attachments', name), 'utf8').includes('container-three'),
    );
    rmSync(join(node.config.runDir, 'attachments', record!));
    node.ip('node', 'link', 'add', 'vethstranger', 'type', 'veth', 'peer', 'stranger');
    writeFileSync(join(node.config.runDir, 'attachments', 'unknown.json'), '{"format":1');
    await node.startAgent();
    expect(node.podRoutes()).toEqual([one]);
    expect([...node.podLinks()].sort()).toEqual([expect.stringMatching(/^veth[0-9a-f]{11}$/), 'vethstranger']);
    expect(node.records()).toHaveLength(2);
    expect(node.agentLog).toContain('unknown.json');
    await node.serve('one');
    expect(await node.ask('node', one)).toBe(node.nodeAddress);
  });

  test.each([
    ['cut short', (text: string): string => text.slice(0, text.length / 2)],
    ['of a newer agent', (text: string): string => text.replace(/"format":\d/, '"format":99')],
  ])('leaves a pod whose record is %s its connections and its address, until DEL', async (_what, change) => {
    const node = await start('10.244.7.0/30');
    const one = await node.addPod('one');
    await node.serve('one');
    const held = await node.hold('node', one);
    await node.stopAgent('SIGKILL');
    const [name = ''] = node.records();
    const record = join(node.config.runDir, 'attachments', name);
    writeFileSync(record, change(readFileSync(record, 'utf8')));
    await node.startAgent();
    held.process.stdin?.write('still there?\n');
    expect(await held.line()).toBe(node.nodeAddress);
    node.addNamespace('two');
    expect(codeOf(await node.add('two'))).toBe(11);
    expect((await node.del('one')).exit).toBe(0);
    expect(addressOf(await node.add('two'))).toBe(one);
    expect((await node.del('two')).exit).toBe(0);
    expectNothingLeft(node);
  });
});

describe('without the agent', () => {
  test('ADD and CHECK are to be tried later, STATUS is not available, VERSION works', async () => {
    const node = await start();
    await node.stopAgent();
    node.addNamespace('one');
    const codes = await Promise.all(
      ['ADD', 'CHECK', 'STATUS'].map(async (command) => codeOf(await node.cni(command, node.variables('one')))),
    );
    expect(codes).toEqual([11, 11, 50]);
    expect(await node.execute('VERSION', {}, '')).toEqual({
      exit: 0,
      stdout: '{"cniVersion":"1.1.0","supportedVersions":["0.1.0","0.2.0","0.3.0","0.3.1","0.4.0","1.0.0","1.1.0"]}',
    });
  });

  test('an ADD waits for an agent that is just starting', async () => {
    const node = await start();
    await node.stopAgent();
    node.addNamespace('one');
    const waiting = node.add('one');
    await node.startAgent();
    expect(addressOf(await waiting)).toBe('10.244.7.2');
  });
});

describe('what is installed', () => {
  test('is complete, closed to others, and not written again by the next start', async () => {
    const node = await start();
    const conflist = join(node.config.cniConfDir, '05-berth.conflist');
    const executable = join(node.config.cniBinDir, 'berth');
    expect(JSON.parse(readFileSync(conflist, 'utf8'))).toEqual({
      cniVersion: '1.0.0',
      cniVersions: ['0.1.0', '0.2.0', '0.3.0', '0.3.1', '0.4.0', '1.0.0', '1.1.0'],
      name: 'berth',
      plugins: [
        {
          type: 'berth',
          capabilities: { portMappings: true, bandwidth: true, ips: true, mac: true, dns: true },
          socket: join(node.config.runDir, 'cni.sock'),
        },
      ],
    });
    expect(statSync(conflist).mode & 0o777).toBe(0o600);
    expect(statSync(executable).mode & 0o777).toBe(0o755);
    expect(statSync(node.config.runDir).mode & 0o777).toBe(0o700);
    expect(statSync(join(node.config.runDir, 'cni.sock')).mode & 0o777).toBe(0o600);
    expect(readdirSync(node.config.cniConfDir)).toEqual(['05-berth.conflist']);
    expect(readdirSync(node.config.cniBinDir).sort()).toEqual(['berth', 'loopback']);
    expect(readlinkSync(join(node.config.cniBinDir, 'loopback'))).toBe('berth');
    const inodes = [statSync(conflist).ino, statSync(executable).ino];
    await node.stopAgent();
    expect(readdirSync(node.config.cniConfDir)).toEqual(['05-berth.conflist']);
    await node.startAgent();
    expect([statSync(conflist).ino, statSync(executable).ino]).toEqual(inodes);
  });

  test('answers as loopback in the version containerd asks with', async () => {
    const node = await common();
    node.addNamespace('one');
    const variables = { ...node.variables('one'), CNI_IFNAME: 'lo' };
    const config = { cniVersion: '0.3.1', name: 'cni-loopback', type: 'loopback' };
    const answer = await node.cni('ADD', variables, config);
    expect(JSON.parse(answer.stdout)).toEqual({
      cniVersion: '0.3.1',
      interfaces: [{ name: 'lo', mac: '00:00:00:00:00:00', sandbox: node.path('one') }],
      ips: [{ version: '4', address: '127.0.0.1/8', interface: 0 }],
      routes: [],
    });
    expect(node.ip('one', 'address', 'show', 'lo')).toContain('127.0.0.1/8');
    expect((await node.cni('DEL', variables, config)).exit).toBe(0);
    expectNothingLeft(node);
  });

  test('the nft table has the range as an element, and calls are counted', async () => {
    const node = await start();
    await node.addPod('one');
    const table = node.nft('list', 'table', 'inet', 'berth');
    expect(table).toContain('elements = { 10.244.7.0/24 }');
    expect(table).toContain('masquerade fully-random');
    expect(table).toContain('ip daddr 127.0.0.0/8 iifname != "lo" drop');
    expect(table).toContain('nd-router-advert drop');
    await node.add('two');
    const metrics = await node.stopAgent();
    expect(metrics).toContain('berth_cni_requests_total{op="ADD",code="0"} 1');
    expect(metrics).toContain('berth_cni_requests_total{op="ADD",code="4"} 1');
    expect(metrics).toContain('berth_cni_request_duration_seconds_count{op="ADD"} 2');
  });
});
