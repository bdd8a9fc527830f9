// Packets in real namespaces: between pods, node and world, in both families, and over ports of the node.
import { execFileSync } from 'node:child_process';
import { describe, expect, test } from 'vitest';
import { addressOf, addressesOf } from './cni/node.ts';
import { expectNothingLeft, useNodes } from './cni/scene.ts';

const { common, make, start } = useNodes();

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
    const node = make();
    await node.startAgent('', { masquerade: false });
    node.ip('world', 'route', 'add', '10.244.7.0/24', 'via', node.nodeAddress);
    const one = await node.addPod('one');
    await node.serve('world');
    expect(await node.ask('one', node.worldAddress)).toBe(one);
  });

  test('to networks that are not to be masqueraded pods go with their own address, to all others with the node’s', async () => {
    const node = make(['10.244.7.0/24', 'fd00:7::/64']);
    node.ip('world', 'address', 'add', '198.51.100.2/32', 'dev', 'lo');
    node.ip('world', 'address', 'add', '2001:db8:5::2/128', 'dev', 'lo', 'nodad');
    node.ip('world', 'route', 'add', '10.244.7.0/24', 'via', node.nodeAddress);
    node.ip('world', '-6', 'route', 'add', 'fd00:7::/64', 'via', node.nodeAddress6);
    await node.startAgent('', { nonMasqueradeCIDRs: ['198.51.100.0/24', '2001:db8:5::/64'] });
    node.addNamespace('one');
    const [four, six] = addressesOf(await node.add('one'));
    await node.serve('world');
    expect(await node.ask('one', '198.51.100.2')).toBe(four);
    expect(await node.ask('one', '2001:db8:5::2')).toBe(six);
    expect(await node.ask('one', node.worldAddress)).toBe(node.nodeAddress);
    expect(await node.ask('one', node.worldAddress6)).toBe(node.nodeAddress6);
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

  test.each([4, 6] as const)(
    'over UDP and IPv%i a second pod takes over a flow that never paused',
    async (family) => {
      const node = await start(['10.244.7.0/24', 'fd00:7::/64']);
      const address = family === 4 ? node.nodeAddress : node.nodeAddress6;
      for (const pod of ['one', 'two']) node.addNamespace(pod);
      const udp = mapped(8053, { protocol: 'udp', hostIP: address });
      expect((await node.add('one', udp)).exit).toBe(0);
      await node.talk('one', 'serve-udp', 'one');
      const client = await node.talk('world', 'hold-udp', address, '8053');
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
    },
    60_000,
  );
});
