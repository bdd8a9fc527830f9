import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { CniError } from './errors.ts';
import { decodeRequest, versionOf } from './request.ts';

const config = { cniVersion: '1.1.0', name: 'berth', type: 'berth' };
const variables = { CNI_COMMAND: 'ADD', CNI_CONTAINERID: 'abc', CNI_NETNS: '/run/netns/x', CNI_IFNAME: 'eth0' };
const bytes = (value: unknown): Uint8Array => new TextEncoder().encode(JSON.stringify(value));

function codeOf(given: Record<string, string>, stdin: Uint8Array): number {
  try {
    decodeRequest(given, stdin);
  } catch (error) {
    if (error instanceof CniError) return error.cniCode;
    throw error;
  }
  return 0;
}

test('an ADD names the pod it is for', () => {
  const args =
    'IgnoreUnknown=1;K8S_POD_NAME=web-0;K8S_POD_NAMESPACE=shop;K8S_POD_UID=u-1;K8S_POD_INFRA_CONTAINER_ID=abc';
  expect(decodeRequest({ ...variables, CNI_ARGS: args }, bytes(config))).toEqual({
    command: 'ADD',
    cniVersion: '1.1.0',
    network: 'berth',
    key: { containerID: 'abc', ifname: 'eth0' },
    loopback: false,
    netns: '/run/netns/x',
    pod: { namespace: 'shop', name: 'web-0', uid: 'u-1' },
    wishes: { ips: [], mac: undefined, portMappings: [], bandwidth: undefined },
    previous: undefined,
    dns: undefined,
  });
});

const dummy = {
  cniVersion: '1.1.0',
  interfaces: [{ name: 'net1', sandbox: '/run/netns/x', mac: '02:00:00:00:00:07', pciID: '0000:00:1f.6' }],
  ips: [{ address: '192.0.2.7/24', interface: 0 }],
  routes: [{ dst: '198.51.100.0/24', mtu: 1300 }],
  dns: { nameservers: ['192.0.2.53'] },
};

test('an ADD behind another plugin has the result of that one, with what is not ours to understand', () => {
  expect(decodeRequest(variables, bytes({ ...config, prevResult: dummy }))).toMatchObject({ previous: dummy });
  expect(decodeRequest(variables, bytes({ ...config, prevResult: null }))).toMatchObject({ previous: undefined });
});

test.each<[string, unknown]>([
  ['made the same interface', { ...dummy, interfaces: [{ name: 'eth0', sandbox: '/run/netns/x' }], ips: [] }],
  ['is no object', 'result'],
  ['has an address on an interface that is not in it', { ...dummy, interfaces: [] }],
  ['has an address on an interface below zero', { ...dummy, ips: [{ address: '192.0.2.7/24', interface: -1 }] }],
  ['has an interface without a name', { ...dummy, interfaces: [{ sandbox: '/run/netns/x' }] }],
  ['has routes that are none', { ...dummy, routes: ['default'] }],
])('an ADD behind a plugin whose result %s gets code 7', (_what, prevResult) => {
  expect(codeOf(variables, bytes({ ...config, prevResult }))).toBe(7);
});

test("a link of that name on the node's side is not the pod's interface", () => {
  const prevResult = { ...dummy, interfaces: [{ name: 'eth0' }] };
  expect(codeOf(variables, bytes({ ...config, prevResult }))).toBe(0);
});

test.each<[string, unknown]>([
  ['none', undefined],
  ['null', null],
  ['a text', 'power was lost here'],
  ['one that does not fit together', { ips: [{ address: '192.0.2.7/24', interface: 9 }] }],
])('a DEL works with %s as prevResult', (_what, prevResult) => {
  expect(codeOf({ ...variables, CNI_COMMAND: 'DEL' }, bytes({ ...config, prevResult }))).toBe(0);
});

test.each([
  '',
  ';;',
  'K8S_POD_NAME',
  'K8S_POD_NAME=../x;K8S_POD_NAMESPACE=shop',
  'K8S_POD_NAME=a\n;K8S_POD_NAMESPACE=b',
])('CNI_ARGS %j names no pod and is no error', (args) => {
  expect(decodeRequest({ ...variables, CNI_ARGS: args }, bytes(config))).toMatchObject({ pod: undefined });
});

test('a DEL may come without a namespace', () => {
  expect(decodeRequest({ ...variables, CNI_COMMAND: 'DEL', CNI_NETNS: '' }, bytes(config))).toMatchObject({
    command: 'DEL',
    netns: undefined,
  });
});

test.each([
  [
    'the current key',
    { 'cni.dev/valid-attachments': [{ containerID: 'a', ifname: 'b' }], 'cni.dev/attachments': [] },
    1,
  ],
  ['the old key', { 'cni.dev/attachments': [{ containerID: 'a', ifname: 'b' }] }, 1],
  ['an empty list', { 'cni.dev/valid-attachments': [] }, 0],
  ['no list', {}, undefined],
])('GC takes %s', (_what, keys, length) => {
  const request = decodeRequest({ CNI_COMMAND: 'GC' }, bytes({ ...config, ...keys }));
  expect(request.command === 'GC' ? request.valid?.length : 'no GC').toBe(length);
});

test.each(['0.1.0', '0.2.0', '0.3.0', '0.3.1', '0.4.0', '1.0.0', '1.1.0'])(
  'version %s attaches and detaches',
  (cniVersion) => {
    for (const CNI_COMMAND of ['ADD', 'DEL'])
      expect(decodeRequest({ ...variables, CNI_COMMAND }, bytes({ ...config, cniVersion }))).toMatchObject({
        cniVersion,
      });
  },
);

test('without a version it is 0.1.0', () => {
  expect(decodeRequest(variables, bytes({ name: 'berth', type: 'berth' }))).toMatchObject({ cniVersion: '0.1.0' });
});

test.each([
  ['CHECK', '0.3.1'],
  ['CHECK', '0.1.0'],
  ['GC', '1.0.0'],
  ['STATUS', '0.4.0'],
])('%s with version %s gets code 1', (CNI_COMMAND, cniVersion) => {
  expect(codeOf({ ...variables, CNI_COMMAND }, bytes({ ...config, cniVersion, prevResult: { ips: [] } }))).toBe(1);
});

test('all variables that are wrong are named at once', () => {
  const wrong = { CNI_COMMAND: 'ADD', CNI_CONTAINERID: '/', CNI_IFNAME: 'a b', CNI_NETNS: 'relative' };
  expect(() => decodeRequest(wrong, bytes(config))).toThrow(/CNI_CONTAINERID.*CNI_IFNAME.*CNI_NETNS/);
});

describe.each<[string, Uint8Array, number]>([
  ['nothing', new Uint8Array(), 6],
  ['half a document', new TextEncoder().encode('{"cniVersion":'), 6],
  ['bytes that are no UTF-8', new Uint8Array([0x22, 0xff, 0x22]), 6],
  ['null', bytes(null), 7],
  ['a list', bytes([]), 7],
  ['no name', bytes({ cniVersion: '1.1.0', type: 'berth' }), 7],
  ['a number as name', bytes({ ...config, name: 7 }), 7],
  ['a version that is a number', bytes({ ...config, cniVersion: 1 }), 7],
  ['a version that never was', bytes({ ...config, cniVersion: '0.3.2' }), 1],
  ['a version to come', bytes({ ...config, cniVersion: '1.2.0' }), 1],
  ['a very deep document', new TextEncoder().encode(`${'['.repeat(100_000)}${']'.repeat(100_000)}`), 7],
])('%s on standard input', (_what, stdin, code) => {
  test(`gets code ${code}`, () => {
    expect(codeOf(variables, stdin)).toBe(code);
  });
});

test.each(['/run/netns/../../etc', '/run/netns/a\nb', `/${'x'.repeat(4096)}`, 'run/netns/x'])(
  'CNI_NETNS %j gets code 4',
  (netns) => {
    expect(codeOf({ ...variables, CNI_NETNS: netns }, bytes(config))).toBe(4);
  },
);

test('whatever comes, it is a request or an error with a code', () => {
  const text = fc.string({
    unit: fc.constantFrom('a', 'Z', '0', '.', '/', ':', '%', '-', ';', '=', ' ', '\0', '\n', '\u00e9'),
    maxLength: 40,
  });
  const given = fc.record(
    {
      CNI_COMMAND: fc.constantFrom('ADD', 'DEL', 'CHECK', 'GC', 'STATUS', ''),
      CNI_CONTAINERID: text,
      CNI_IFNAME: text,
      CNI_NETNS: text,
      CNI_ARGS: text,
    },
    { requiredKeys: [] },
  );
  const stdin = fc.oneof(
    fc.uint8Array(),
    fc.jsonValue({ maxDepth: 2 }).map(bytes),
    fc
      .record(
        {
          cniVersion: fc.jsonValue({ maxDepth: 2 }),
          name: fc.jsonValue({ maxDepth: 2 }),
          type: fc.jsonValue({ maxDepth: 2 }),
          prevResult: fc.jsonValue({ maxDepth: 2 }),
        },
        { requiredKeys: [] },
      )
      .map(bytes),
  );
  fc.assert(
    fc.property(given, stdin, (some, input) => {
      const code = codeOf(Object.fromEntries(Object.entries(some).filter(([, v]) => typeof v === 'string')), input);
      expect([0, 1, 4, 6, 7]).toContain(code);
      expect(versionOf(input)).toMatch(/^\d+\.\d+\.\d+$/);
    }),
  );
});
