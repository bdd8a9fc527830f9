// Addresses and a MAC that somebody asks for: from each of the three places, by their precedence, on the real link, with packets.
import { expect, test } from 'vitest';
import type { Answer, TestNode } from './cni/node.ts';
import { addressesOf } from './cni/node.ts';
import { codeOf, expectNothingLeft, useNodes } from './cni/scene.ts';

const { start } = useNodes();

/** Two ranges of each family; of the first of each only one address is for pods. */
const ranges = ['10.244.7.0/30', '10.244.8.0/28', 'fd00:7::/126', 'fd00:8::/124'];

/** What one place asks for. */
interface Wish {
  readonly mac?: string;
  readonly ips?: readonly string[];
}

/** An ADD with wishes in these places: `runtimeConfig`, `args.cni` and CNI_ARGS. */
async function add(node: TestNode, pod: string, runtimeConfig?: Wish, cni?: Wish, args: Wish = {}): Promise<Answer> {
  const variables = node.variables(pod);
  const { mac = '', ips = [] } = args;
  const asked = `${ips.length === 0 ? '' : `;IP=${ips.join(',')}`}${mac === '' ? '' : `;MAC=${mac}`}`;
  return await node.cni(
    'ADD',
    { ...variables, CNI_ARGS: `${variables['CNI_ARGS'] ?? ''}${asked}` },
    {
      ...(runtimeConfig === undefined ? {} : { runtimeConfig }),
      ...(cni === undefined ? {} : { args: { cni } }),
    },
  );
}

function macOf(node: TestNode, pod: string): string {
  const [link] = JSON.parse(node.ip(pod, '-json', 'link', 'show', 'eth0')) as readonly { readonly address: string }[];
  return link?.address ?? '';
}

/** The pod has these addresses, no others, and answers under each. */
async function expectAddresses(node: TestNode, pod: string, addresses: readonly string[]): Promise<void> {
  const [link] = JSON.parse(node.ip(pod, '-json', 'address', 'show', 'eth0')) as readonly {
    readonly addr_info: readonly { readonly local: string }[];
  }[];
  expect(link?.addr_info.map(({ local }) => local)).toEqual(addresses);
  await node.serve(pod);
  for (const address of addresses)
    expect(await node.ask('node', address)).toBe(address.includes(':') ? node.nodeAddress6 : node.nodeAddress);
}

const runtime = { mac: '02:00:5e:00:00:01', ips: ['10.244.8.5', 'fd00:8::5'] };
const arguments_ = { mac: '02:00:5e:00:00:02', ips: ['10.244.8.6', 'fd00:8::6'] };
const variable = { mac: '02:00:5e:00:00:03', ips: ['10.244.8.7', 'fd00:8::7'] };

test.each<[string, (Wish | undefined)[], Wish]>([
  ['in CNI_ARGS', [undefined, undefined, variable], variable],
  ['in args.cni', [undefined, arguments_, undefined], arguments_],
  ['in runtimeConfig', [runtime, undefined, undefined], runtime],
  ['in args.cni and CNI_ARGS, where the former wins', [undefined, arguments_, variable], arguments_],
  ['in all three, where runtimeConfig wins', [runtime, arguments_, variable], runtime],
  [
    'partly here and partly there: each from where it stands',
    [{ mac: '02:00:5e:00:00:01' }, { ips: ['10.244.7.2', 'fd00:8::9'] }, variable],
    { mac: '02:00:5e:00:00:01', ips: ['10.244.7.2', 'fd00:8::9'] },
  ],
])('a MAC and an address of each family, asked for %s, are what the pod has', async (_where, asked, expected) => {
  const node = await start(ranges);
  node.addNamespace('one');
  const [runtimeConfig, cni, args] = asked;
  const answer = await add(node, 'one', runtimeConfig, cni, args);
  expect(addressesOf(answer)).toEqual(expected.ips);
  expect(macOf(node, 'one')).toBe(expected.mac);
  const { interfaces } = JSON.parse(answer.stdout) as { readonly interfaces: readonly { readonly mac: string }[] };
  expect(interfaces[1]?.mac).toBe(expected.mac);
  await expectAddresses(node, 'one', expected.ips ?? []);
  const check = await node.cni('CHECK', node.variables('one'), { prevResult: JSON.parse(answer.stdout) as unknown });
  expect(check).toEqual({ exit: 0, stdout: '' });
  expect(await node.del('one')).toEqual({ exit: 0, stdout: '' });
  expectNothingLeft(node);
});

test.each([
  ['of the first ranges', ['10.244.7.2', 'fd00:7::2']],
  ['of the second ranges, the families in another order', ['fd00:8::e', '10.244.8.14']],
  ['of one family, with a prefix length: the other comes by itself', ['10.244.8.9/28']],
])('addresses %s are given, and nobody else gets them', async (_which, ips) => {
  const node = await start(ranges);
  for (const pod of ['one', 'two']) node.addNamespace(pod);
  const bare = ips.map((ip) => ip.replace(/\/.*/, ''));
  expect(addressesOf(await add(node, 'one', { ips }))).toEqual(expect.arrayContaining(bare));
  const refused = await add(node, 'two', { ips });
  expect(codeOf(refused)).toBe(11);
  expect(refused.stdout).toContain('is in use');
  expect(await node.del('one')).toEqual({ exit: 0, stdout: '' });
  expect(addressesOf(await add(node, 'two', { ips }))).toEqual(expect.arrayContaining(bare));
});

test.each<[string, readonly string[], number, string]>([
  ['in use', ['10.244.7.2', 'fd00:8::2'], 11, 'fd00:8::2 is in use'],
  ['of no range', ['10.244.7.2', 'fd00:9::2'], 7, 'fd00:9::2 is of none of the node'],
  ["a range's broadcast address", ['fd00:7::2', '10.244.7.3'], 7, '10.244.7.3 is none for pods'],
  ["a range's own address", ['fd00:7::2', '10.244.7.0'], 7, '10.244.7.0 is none for pods'],
  ["a gateway's", ['fd00:7::2', '10.244.7.1'], 7, '10.244.7.1 is none for pods'],
  ['a second one of its family', ['10.244.7.2', '10.244.8.2'], 7, 'more than one IPv4 address is requested'],
])('an ADD that asks for an address that is %s fails and frees what it had taken', async (_what, ips, code, word) => {
  const node = await start(ranges);
  for (const pod of ['holder', 'one', 'two']) node.addNamespace(pod);
  expect((await add(node, 'holder', { ips: ['10.244.8.3', 'fd00:8::2'] })).exit).toBe(0);
  const refused = await add(node, 'one', { ips });
  expect([refused.exit, codeOf(refused)]).toEqual([1, code]);
  expect(refused.stdout).toContain(word);
  expect([node.records().length, node.podLinks().length]).toEqual([1, 1]);
  // The only address of each family's first range, one of which was taken for the refused: asked for by name, both are free.
  expect(addressesOf(await add(node, 'two', { ips: ['10.244.7.2', 'fd00:7::2'] }))).toEqual([
    '10.244.7.2',
    'fd00:7::2',
  ]);
  await expectAddresses(node, 'two', ['10.244.7.2', 'fd00:7::2']);
});

test.each<[string, Wish | undefined, Wish | undefined, Wish, number]>([
  ['a multicast MAC in runtimeConfig', { mac: '01:00:5e:00:00:01' }, undefined, {}, 7],
  ['a MAC of zeros in args.cni', undefined, { mac: '00:00:00:00:00:00' }, {}, 7],
  ['half a MAC in CNI_ARGS', undefined, undefined, { mac: '02:00:5e' }, 4],
  ['an address that is none in args.cni', undefined, { ips: ['10.244.7'] }, {}, 7],
  ['an address with a zone in runtimeConfig', { ips: ['fd00:7::2%eth0'] }, undefined, {}, 7],
  ['words for an address in CNI_ARGS', undefined, undefined, { ips: ['nonsense'] }, 4],
])('%s is refused, and nothing is made', async (_what, runtimeConfig, cni, args, code) => {
  const node = await start(ranges);
  node.addNamespace('one');
  const refused = await add(node, 'one', runtimeConfig, cni, args);
  expect([refused.exit, codeOf(refused)]).toEqual([1, code]);
  expectNothingLeft(node);
  expect(addressesOf(await node.add('one'))).toEqual(['10.244.7.2', 'fd00:7::2']);
});

test('a repeated ADD that asks for another address and MAC gives them and frees the first ones', async () => {
  const node = await start(ranges);
  for (const pod of ['one', 'two']) node.addNamespace(pod);
  expect((await add(node, 'one', runtime)).exit).toBe(0);
  expect(addressesOf(await add(node, 'one', variable))).toEqual(variable.ips);
  expect(macOf(node, 'one')).toBe(variable.mac);
  await expectAddresses(node, 'one', variable.ips);
  expect(addressesOf(await add(node, 'two', runtime))).toEqual(runtime.ips);
  await expectAddresses(node, 'two', runtime.ips);
  for (const pod of ['one', 'two']) expect((await node.del(pod)).exit).toBe(0);
  expectNothingLeft(node);
});
