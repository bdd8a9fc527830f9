// IPv6 between a pod and its node: addresses serve at once, and a pod that plays router gets no say over its node.
import { execFileSync, spawn } from 'node:child_process';
import { join } from 'node:path';
import { expect, test, vi } from 'vitest';
import type { TestNode } from './cni/node.ts';
import { Talker, addressesOf } from './cni/node.ts';
import { useNodes } from './cni/scene.ts';

const { start } = useNodes();
const ranges = ['10.244.7.0/24', 'fd00:7::/64'];

function setParameter(node: TestNode, namespace: string, name: string, value: string): void {
  execFileSync('ip', ['netns', 'exec', node.name(namespace), 'sysctl', '-qw', `${name}=${value}`]);
}

/** A router on a link of a namespace; each call sends an advertisement that offers a default route and a prefix. */
async function routerIn(node: TestNode, namespace: string, link: string): Promise<() => Promise<void>> {
  node.ip(namespace, 'address', 'add', 'fe80::bad/64', 'dev', link, 'nodad');
  const command = [process.execPath, join(import.meta.dirname, 'cni', 'router.ts'), link];
  // Ends with its input, which ends with this process.
  const router = new Talker(spawn('ip', ['netns', 'exec', node.name(namespace), ...command], { stdio: 'pipe' }));
  expect(await router.line()).toBe('ready');
  return async () => {
    router.process.stdin?.write('advertise\n');
    expect(await router.line()).toBe('sent');
  };
}

/** Everything that an advertisement could have given to who is on the link. */
function learnt(node: TestNode, namespace: string, link: string): string {
  return ['route', 'address'].map((what) => node.ip(namespace, '-6', what, 'show', 'dev', link)).join('');
}

test('a pod that plays router is not believed by its node, also where that believes routers on every link', async () => {
  const node = await start(ranges);
  node.addNamespace('one');
  const [, six = ''] = addressesOf(await node.add('one'));
  const [link = ''] = node.podLinks();
  // On a node that forwards only this value has a router believed.
  setParameter(node, 'node', `net.ipv6.conf.${link}.accept_ra`, '2');
  const before = learnt(node, 'node', link);
  const advertise = await routerIn(node, 'one', 'eth0');
  for (let round = 0; round < 3; round++) await advertise();
  // What comes later over the same link has been through.
  await node.serve('one');
  expect(await node.ask('node', six)).toBe(node.nodeAddress6);
  expect(learnt(node, 'node', link)).toBe(before);
  expect(node.ip('node', '-6', 'route', 'show', 'default')).toContain(node.worldAddress6);
  // It was our rule alone: without an agent that restores it and without it, the very same is believed.
  await node.stopAgent('SIGKILL');
  node.nft('flush', 'chain', 'inet', 'berth', 'guard');
  await advertise();
  await vi.waitUntil(() => learnt(node, 'node', link).includes('default via fe80::bad'), {
    timeout: 20_000,
    interval: 10,
  });
  expect(learnt(node, 'node', link)).toContain('2001:db8:bad::/64');
});

test('a pod believes no router, not even in the place of its node', async () => {
  const node = await start(ranges);
  node.addNamespace('one');
  const [, six = ''] = addressesOf(await node.add('one'));
  const [link = ''] = node.podLinks();
  const before = learnt(node, 'one', 'eth0');
  const advertise = await routerIn(node, 'node', link);
  for (let round = 0; round < 3; round++) await advertise();
  await node.serve('one');
  expect(await node.ask('node', six)).toBe(node.nodeAddress6);
  expect(learnt(node, 'one', 'eth0')).toBe(before);
  // It was the parameter alone.
  setParameter(node, 'one', 'net.ipv6.conf.eth0.accept_ra', '1');
  await advertise();
  await vi.waitUntil(() => learnt(node, 'one', 'eth0').includes('via fe80::bad'), { timeout: 20_000, interval: 10 });
});

test('when ADD answers, no IPv6 address is still to be tried out: the pod speaks with it', async () => {
  const node = await start(ranges);
  await node.serve('node');
  // As on a node whose links do try addresses out, again and again.
  setParameter(node, 'node', 'net.ipv6.conf.default.dad_transmits', '10');
  for (let pod = 0; pod < 5; pod++) {
    const name = `pod${pod}`;
    node.addNamespace(name);
    setParameter(node, name, 'net.ipv6.conf.default.dad_transmits', '10');
    const [, six = ''] = addressesOf(await node.add(name));
    const [link] = JSON.parse(node.ip(name, '-json', '-6', 'address', 'show', 'dev', 'eth0')) as readonly {
      readonly addr_info: readonly { readonly local: string; readonly tentative?: boolean; readonly nodad?: boolean }[];
    }[];
    expect(link?.addr_info).toMatchObject([{ local: six, nodad: true }]);
    expect(link?.addr_info[0]?.tentative).toBeUndefined();
    expect(await node.ask(name, node.nodeAddress6)).toBe(six);
  }
});

test('a link that goes down and comes up again keeps its address of IPv6 as it does that of IPv4', async () => {
  const node = await start(ranges);
  node.addNamespace('one');
  const answer = await node.add('one');
  const [four = '', six = ''] = addressesOf(answer);
  const before = node.ip('one', '-br', 'address', 'show', 'eth0');
  for (const state of ['down', 'up']) node.ip('one', 'link', 'set', 'eth0', state);
  expect(node.ip('one', '-br', 'address', 'show', 'eth0')).toBe(before);
  expect(node.ip('one', '-6', 'address', 'show', 'dev', 'eth0')).not.toContain('tentative');
  // Its routes go with any link: whoever takes it down has to see to them, which a repeated ADD does.
  expect(await node.add('one')).toEqual(answer);
  await node.serve('one');
  expect(await node.ask('node', four)).toBe(node.nodeAddress);
  expect(await node.ask('node', six)).toBe(node.nodeAddress6);
});
