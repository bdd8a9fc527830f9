// Whose a port of the node is: spellings, protocols and addresses, what is refused, and what CHECK says once a port is lost.
import { expect, test, vi } from 'vitest';
import type { Answer, TestNode } from './cni/node.ts';
import { addressesOf } from './cni/node.ts';
import { traces } from './cni/everything.ts';
import { codeOf, expectNothingLeft, useNodes } from './cni/scene.ts';

const { start } = useNodes();
const ranges = ['10.244.7.0/28', 'fd00:7::/124'];

interface Mapping {
  readonly hostPort: number;
  readonly containerPort: number;
  readonly protocol?: string;
  readonly hostIP?: string;
}

async function add(node: TestNode, pod: string, ...portMappings: readonly object[]): Promise<Answer> {
  return await node.add(pod, { runtimeConfig: { portMappings } });
}

test('containerd’s capital keys and the camel keys of the conventions give the same elements, which lead to the pod', async () => {
  const node = await start(ranges);
  node.addNamespace('one');
  const camel = [
    { hostPort: 8080, containerPort: 7700, protocol: 'tcp', hostIP: '' },
    { hostPort: 8053, containerPort: 7700, protocol: 'udp', hostIP: node.nodeAddress },
  ];
  const capital = camel.map(({ hostPort, containerPort, protocol, hostIP }) => ({
    HostPort: hostPort,
    ContainerPort: containerPort,
    Protocol: protocol,
    HostIP: hostIP,
  }));
  const made: (readonly string[])[] = [];
  for (const mappings of [camel, capital]) {
    const answer = await add(node, 'one', ...mappings);
    const [four = '', six = ''] = addressesOf(answer);
    // The next pod has other addresses.
    made.push(traces(node).map((line) => line.replaceAll(four, 'FOUR').replaceAll(six, 'SIX')));
    await node.serve('one');
    expect(await node.ask('world', node.nodeAddress, 8080)).toBe(node.worldAddress);
    expect(await node.ask('world', node.nodeAddress6, 8080)).toBe(node.worldAddress6);
    expect(await node.del('one')).toEqual({ exit: 0, stdout: '' });
    expect(traces(node)).toEqual([]);
    node.removeNamespace('one');
    node.addNamespace('one');
  }
  expect(made[1]).toEqual(made[0]);
  expect(made[0]?.join('\n')).toContain('tcp . 8080 : FOUR . 7700');
  expect(made[0]?.join('\n')).toContain('192.0.2.1 . udp . 8053 : FOUR . 7700');
});

test('the same port with another address or protocol is another one, and packets go to the right pod', async () => {
  const node = await start(ranges);
  node.ip('node', 'address', 'add', '192.0.2.9/24', 'dev', 'uplink');
  const port = { hostPort: 5300, containerPort: 7700 };
  const asked: Readonly<Record<string, Mapping>> = {
    first: { ...port, hostIP: '192.0.2.1' },
    second: { ...port, hostIP: '192.0.2.9' },
    six: { ...port, hostIP: '::' },
    datagrams: { ...port, protocol: 'udp' },
    streams: { ...port, protocol: 'sctp' },
  };
  for (const [pod, mapping] of Object.entries(asked)) {
    node.addNamespace(pod);
    expect(await add(node, pod, mapping), pod).toMatchObject({ exit: 0 });
  }
  const seen = async (pod: string, address: string): Promise<string> => {
    await node.serve(pod);
    return await node.ask('world', address, 5300);
  };
  // Only the pod that has it listens: an answer is that one's.
  expect(await seen('second', '192.0.2.9')).toBe(node.worldAddress);
  expect(await node.ask('world', node.nodeAddress, 5300)).toContain('ECONNREFUSED');
  expect(await node.ask('world', node.nodeAddress6, 5300)).toContain('ECONNREFUSED');
  expect(await seen('six', node.nodeAddress6)).toBe(node.worldAddress6);
  expect(await node.ask('world', node.nodeAddress, 5300)).toContain('ECONNREFUSED');
  expect(await seen('first', node.nodeAddress)).toBe(node.worldAddress);
  await node.talk('datagrams', 'serve-udp', 'datagrams');
  const client = await node.talk('world', 'hold-udp', '192.0.2.9', '5300');
  client.process.stdin?.write('who?\n');
  expect(await client.line()).toBe('datagrams');
  expect(node.nft('list', 'map', 'inet', 'berth', 'ports')).toContain('sctp . 5300');
});

/** A second pod that asks for port 5300 of `other`, beside one that has it of 192.0.2.1, where it stays. */
async function beside(node: TestNode, other: Omit<Mapping, 'hostPort' | 'containerPort'>): Promise<Answer> {
  for (const pod of ['one', 'two']) node.addNamespace(pod);
  const port = { hostPort: 5300, containerPort: 7700 };
  expect((await add(node, 'one', { ...port, hostIP: '192.0.2.1' })).exit).toBe(0);
  const answer = await add(node, 'two', { ...port, ...other });
  const had = node.records().length;
  expect((await node.del('two')).exit).toBe(0);
  await node.serve('one');
  expect(await node.ask('world', node.nodeAddress, 5300)).toBe(node.worldAddress);
  expect(had).toBe(answer.exit === 0 ? 2 : 1);
  return answer;
}

test.each([
  ['all addresses', {}],
  ['all addresses of IPv4', { hostIP: '0.0.0.0' }],
  ['the very same address', { hostIP: '192.0.2.1' }],
])('a port of one address is not given again for %s: the pod that has it is named', async (_what, other) => {
  const answer = await beside(await start(ranges), other);
  expect(codeOf(answer)).toBe(11);
  expect(answer.stdout).toContain('tcp port 5300 of the node is in use by pod default/one');
});

test.each([
  ['all addresses of IPv6', { hostIP: '::' }],
  ['127.0.0.1', { hostIP: '127.0.0.1' }],
  ['the same address over UDP', { hostIP: '192.0.2.1', protocol: 'UDP' }],
  ['the same address over SCTP', { hostIP: '192.0.2.1', protocol: 'SCTP' }],
])('a port of one address is no reason to refuse that of %s', async (_what, other) => {
  expect(await beside(await start(ranges), other)).toMatchObject({ exit: 0 });
});

const fine = { hostPort: 80, containerPort: 80 };
test.each<[string, readonly object[]]>([
  ['port 70000', [{ ...fine, hostPort: 70_000 }]],
  ['container port 0', [{ ...fine, containerPort: 0 }]],
  ['no container port', [{ hostPort: 80 }]],
  ['a port that is a text', [{ ...fine, hostPort: '80' }]],
  ['an unknown protocol', [{ ...fine, protocol: 'icmp' }]],
  ['words of nft in a protocol', [{ ...fine, protocol: 'tcp; flush ruleset' }]],
  ['words of nft in an address', [{ ...fine, hostIP: '192.0.2.1 }; flush ruleset' }]],
  ['the same port twice', [fine, { ...fine, containerPort: 81 }]],
  ['an address of a family that the pod has not', [{ ...fine, hostIP: '2001:db8::1' }]],
  ['1,025 ports', Array.from({ length: 1_025 }, (_, at) => ({ hostPort: at + 1, containerPort: 80 }))],
])('%s in portMappings is refused with code 7, and nothing is made', async (_what, mappings) => {
  const node = await start();
  node.addNamespace('one');
  const before = node.nft('list', 'ruleset');
  const answer = await add(node, 'one', ...mappings);
  expect([answer.exit, codeOf(answer)]).toEqual([1, 7]);
  expectNothingLeft(node);
  expect(node.nft('list', 'ruleset')).toBe(before);
});

test.each<[string, readonly string[], string]>([
  ['the port', ['ports', '{ tcp . 8080 }'], 'tcp . 8080'],
  ['the port of IPv6', ['ports6', '{ tcp . 8080 }'], 'tcp . 8080'],
  ['what lets the pod reach itself', ['hairpin', '{ 10.244.7.2 . 10.244.7.2 }'], '10.244.7.2 . 10.244.7.2'],
])('CHECK fails once %s has vanished, and is well when the agent has brought it back', async (_what, lost, word) => {
  const node = await start(ranges);
  node.addNamespace('one');
  const answer = await add(node, 'one', { hostPort: 8080, containerPort: 7700 });
  const prevResult = JSON.parse(answer.stdout) as unknown;
  const check = (): Promise<Answer> => node.cni('CHECK', node.variables('one'), { prevResult });
  expect(await check()).toEqual({ exit: 0, stdout: '' });
  // The agent restores it within 0.4 s: it may be quicker than a CHECK, but not each time.
  const seen = await vi.waitUntil(
    async () => {
      try {
        node.nft('delete', 'element', 'inet', 'berth', ...lost);
      } catch {
        // Not back yet.
      }
      const { exit, stdout } = await check();
      return exit === 0 ? undefined : stdout;
    },
    { timeout: 30_000, interval: 1 },
  );
  expect(JSON.parse(seen)).toMatchObject({
    code: 100,
    msg: expect.stringContaining(`the nft table lacks the port mapping ${word}`) as string,
  });
  await vi.waitUntil(async () => (await check()).exit === 0, { timeout: 20_000, interval: 20 });
  await node.serve('one');
  expect(await node.ask('world', node.nodeAddress, 8080)).toBe(node.worldAddress);
});
