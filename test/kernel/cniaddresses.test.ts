// Which addresses pods get of the node's ranges, and that every one comes back: also when an ADD fails after it was reserved.
import { expect, test } from 'vitest';
import type { TestNode } from './cni/node.ts';
import { addressOf, addressesOf } from './cni/node.ts';
import { codeOf, expectNothingLeft, useNodes } from './cni/scene.ts';

const { make, start } = useNodes();

async function addPods(node: TestNode, pods: readonly string[]): Promise<readonly (readonly string[])[]> {
  const given: (readonly string[])[] = [];
  for (const pod of pods) {
    node.addNamespace(pod);
    given.push(addressesOf(await node.add(pod)));
  }
  return given;
}

test('of several ranges of a family the next is used when one is full, pods of all reach each other, and it goes back', async () => {
  const node = await start(['10.244.7.0/30', '10.244.9.0/30', 'fd00:7::/126', 'fd00:9::/126']);
  expect(await addPods(node, ['one', 'two'])).toEqual([
    ['10.244.7.2', 'fd00:7::2'],
    ['10.244.9.2', 'fd00:9::2'],
  ]);
  node.addNamespace('three');
  const refused = await node.add('three');
  expect(codeOf(refused)).toBe(11);
  expect(refused.stdout).toContain('no free address in 10.244.7.0/30, 10.244.9.0/30: all 2 are used');
  for (const where of ['two', 'world']) await node.serve(where);
  expect(await node.ask('one', '10.244.9.2')).toBe('10.244.7.2');
  expect(await node.ask('one', 'fd00:9::2')).toBe('fd00:7::2');
  // Each of the ranges is one whose pods speak to the world as the node.
  for (const pod of ['one', 'two']) expect(await node.ask(pod, node.worldAddress)).toBe(node.nodeAddress);
  expect((await node.del('one')).exit).toBe(0);
  expect(addressesOf(await node.add('three'))).toEqual(['10.244.7.2', 'fd00:7::2']);
});

test('a range hands out all but its own, its first and its broadcast address, and no excluded one', async () => {
  const node = make(['10.244.7.0/29', 'fd00:7::/125']);
  await node.startAgent('', { exclude: ['10.244.7.4', 'fd00:7::5'] });
  const given = await addPods(node, ['one', 'two', 'three', 'four']);
  expect(given.map(([four]) => four)).toEqual(['10.244.7.2', '10.244.7.3', '10.244.7.5', '10.244.7.6']);
  expect(given.map(([, six]) => six)).toEqual(['fd00:7::2', 'fd00:7::3', 'fd00:7::4', 'fd00:7::6']);
  node.addNamespace('five');
  expect((await node.add('five')).stdout).toContain('no free address in 10.244.7.0/29: all 4 are used');
});

test('addresses go round: one given back is the last to be had again', async () => {
  const node = await start('10.244.7.0/29');
  expect((await addPods(node, ['one', 'two'])).flat()).toEqual(['10.244.7.2', '10.244.7.3']);
  for (const pod of ['one', 'two']) expect((await node.del(pod)).exit).toBe(0);
  const rest = ['10.244.7.4', '10.244.7.5', '10.244.7.6'];
  expect((await addPods(node, ['three', 'four', 'five'])).flat()).toEqual(rest);
  // Before those three are through, each of the first comes once more, in the order in which they came back.
  expect(addressOf(await node.add('one'))).toBe('10.244.7.2');
  expect(addressOf(await node.add('two'))).toBe('10.244.7.3');
});

test.each<[string, (node: TestNode) => void, number]>([
  [
    'the name of the interface is taken',
    (node) => {
      node.ip('one', 'link', 'add', 'eth0', 'type', 'veth', 'peer', 'other');
    },
    4,
  ],
  [
    'the pod has another default route',
    (node) => {
      node.ip('one', 'link', 'add', 'net1', 'type', 'veth', 'peer', 'other');
      node.ip('one', 'link', 'set', 'net1', 'up');
      node.ip('one', 'address', 'add', '198.51.100.7/24', 'dev', 'net1');
      node.ip('one', 'route', 'add', 'default', 'via', '198.51.100.1');
    },
    7,
  ],
])('an ADD that fails after the reservation, as %s, gives the addresses back', async (_why, hinder, code) => {
  const node = await start(['10.244.7.0/30', 'fd00:7::/126']);
  node.addNamespace('one');
  hinder(node);
  for (let round = 0; round < 3; round++) expect(codeOf(await node.add('one'))).toBe(code);
  expectNothingLeft(node);
  // The runtime's DEL after the failed ADD.
  expect(await node.del('one')).toEqual({ exit: 0, stdout: '' });
  expect(await node.cni('STATUS', {})).toEqual({ exit: 0, stdout: '' });
  expect(await addPods(node, ['two'])).toEqual([['10.244.7.2', 'fd00:7::2']]);
  await node.serve('two');
  expect(await node.ask('node', '10.244.7.2')).toBe(node.nodeAddress);
  expect(await node.ask('node', 'fd00:7::2')).toBe(node.nodeAddress6);
});

test('an ADD that fails as its port of the node is taken gives the addresses back and leaves the port where it is', async () => {
  const node = await start(['10.244.7.0/29', 'fd00:7::/125']);
  const mapped = { runtimeConfig: { portMappings: [{ hostPort: 8080, containerPort: 7700, protocol: 'tcp' }] } };
  for (const pod of ['one', 'two']) node.addNamespace(pod);
  expect((await node.add('one', mapped)).exit).toBe(0);
  // More often than there are addresses.
  for (let round = 0; round < 6; round++) expect(codeOf(await node.add('two', mapped))).toBe(11);
  expect(await node.cni('STATUS', {})).toEqual({ exit: 0, stdout: '' });
  expect(node.records()).toHaveLength(1);
  await node.serve('one');
  expect(await node.ask('world', node.nodeAddress, 8080)).toBe(node.worldAddress);
});
