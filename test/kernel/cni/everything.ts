// A pod with everything that Berth can give, what it leaves on its node, and whether it works.
import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'vitest';
import { addressesOf } from './node.ts';
import type { Answer, TestNode } from './node.ts';

/** One address of each family: with one leaked there is no second ADD. */
export const narrow = ['10.244.7.0/30', 'fd00:7::/126'];
const limit = { ingressRate: 80_000_000, ingressBurst: 2 ** 32 - 1, egressRate: 80_000_000, egressBurst: 2 ** 32 - 1 };
export const everything = {
  runtimeConfig: {
    portMappings: [
      { hostPort: 8080, containerPort: 7700, protocol: 'tcp' },
      { hostPort: 8053, containerPort: 7700, protocol: 'udp' },
    ],
    bandwidth: limit,
  },
};

export function queueOf(node: TestNode): string {
  return join(node.config.runDir, 'queue');
}

/** Everything that an ADD makes on the node. */
export function traces(node: TestNode): readonly string[] {
  const links = JSON.parse(node.ip('node', '-json', 'link', 'show')) as { readonly ifname: string }[];
  const elsewhere = (line: string): boolean => line.includes('10.244.7.') || line.includes('fd00:7::');
  const lines = (...args: readonly string[]): readonly string[] => node.ip('node', ...args).split('\n');
  const elements = [...node.nft('list', 'table', 'inet', 'berth').matchAll(/elements = \{([^}]*)\}/g)].map(
    ([, text = '']) => text,
  );
  const queue = queueOf(node);
  return [
    ...links.map(({ ifname }) => ifname).filter((name) => /^(veth|ifb)/.test(name)),
    ...['-4', '-6'].flatMap((family) => [
      ...lines(family, 'route', 'show', 'table', 'all').filter(elsewhere),
      ...lines(family, 'neigh', 'show', 'nud', 'permanent').filter(elsewhere),
    ]),
    ...elements.filter((text) => /8080|8053|10\.244\.7\.[1-9]|fd00:7::[1-9a-f]/.test(text)),
    ...node.records(),
    ...(existsSync(queue) ? readdirSync(queue) : []),
  ];
}

/** What bash can ask in a few milliseconds. */
function askFast(node: TestNode, from: string, address: string, port: number): string {
  const script = `exec 3<>/dev/tcp/${address}/${port}; echo who >&3; read -t 10 -r answer <&3; echo "$answer"`;
  return execFileSync('ip', ['netns', 'exec', node.name(from), 'bash', '-c', script], { encoding: 'utf8' }).trim();
}

/** The node has what belongs to this one pod, and it works. */
export async function expectWorking(node: TestNode, pod: string, answer: Answer, at = ''): Promise<void> {
  expect(answer.exit, `${at}: ${answer.stdout}`).toBe(0);
  // Two links, of each family a route and a neighbour, its port elements and its hairpin, the record.
  expect(traces(node), at).toHaveLength(11);
  await expectReachable(node, pod, answer, at);
}

/** The pod answers by its ports from outside, and from the node by its address. */
export async function expectReachable(node: TestNode, pod: string, answer: Answer, at = ''): Promise<void> {
  const [four = '', six = ''] = addressesOf(answer);
  const server = await node.talk(pod, 'serve');
  expect(askFast(node, 'world', node.nodeAddress, 8080), at).toBe(node.worldAddress);
  expect(askFast(node, 'world', node.nodeAddress6, 8080), at).toBe(node.worldAddress6);
  expect(askFast(node, 'node', four, 7700), at).toBe(node.nodeAddress);
  expect(askFast(node, 'node', six, 7700), at).toBe(node.nodeAddress6);
  server.process.kill('SIGKILL');
}

export async function delCleanly(node: TestNode, pod: string, at = ''): Promise<void> {
  expect(await node.del(pod), at).toEqual({ exit: 0, stdout: '' });
  expect(traces(node), at).toEqual([]);
}
