import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { CniError } from './errors.ts';
import { decodeWishes, parseArgs } from './wishes.ts';
import type { Wishes } from './wishes.ts';

const none: Wishes = { ips: [], mac: undefined, portMappings: [], bandwidth: undefined };

function decode(config: Record<string, unknown>, args = ''): Wishes {
  return decodeWishes(config, parseArgs(args));
}

function codeOf(config: Record<string, unknown>, args = ''): number {
  try {
    decode(config, args);
  } catch (error) {
    if (error instanceof CniError) return error.cniCode;
    throw error;
  }
  return 0;
}

test.each<readonly [string, Record<string, unknown>]>([
  ['nothing', {}],
  ['null everywhere', { runtimeConfig: null, args: null }],
  ['empty members', { runtimeConfig: { ips: [], mac: '', portMappings: [], bandwidth: {} }, args: { cni: {} } }],
  // Whoever may make a pod writes them: they are not asked for, and steer nothing when they come.
  ...[{ IP: '10.0.0.1', mac: 'x' }, { 'berth.dev/ips': '10.0.0.1' }, { x: 'y'.repeat(200_000) }, 'text', [1], null].map(
    (annotations) =>
      [`annotations of the pod`, { runtimeConfig: { 'io.kubernetes.cri.pod-annotations': annotations } }] as const,
  ),
  ['what Berth knows nothing of', { runtimeConfig: { cgroupPath: '/x', dns: { Servers: ['192.0.2.9'] } } }],
])('%s asks for nothing', (_what, config) => {
  expect(decode(config, 'IgnoreUnknown=1;IP=;MAC=')).toEqual(none);
});

test('capital keys as containerd writes them and camel keys as CRI-O does mean the same', () => {
  const camel = decode({
    runtimeConfig: {
      portMappings: [{ hostPort: 8080, containerPort: 80, protocol: 'udp', hostIP: '192.0.2.1' }],
      bandwidth: { ingressRate: 1000, ingressBurst: 4294967295, egressRate: 2000, egressBurst: 4294967295 },
    },
  });
  const capital = decode({
    runtimeConfig: {
      portMappings: [{ HostPort: 8080, ContainerPort: 80, Protocol: 'UDP', HostIP: '192.0.2.1' }],
      bandwidth: { IngressRate: 1000, IngressBurst: 4294967295, EgressRate: 2000, EgressBurst: 4294967295 },
    },
  });
  expect(capital).toEqual(camel);
  expect(camel.portMappings).toEqual([{ protocol: 'udp', hostPort: 8080, containerPort: 80, hostIP: '192.0.2.1' }]);
  expect(camel.bandwidth?.egressRate).toBe(2000);
});

test('a port without hostPort wishes nothing of the node, and TCP is meant when no protocol is named', () => {
  const portMappings = [{ containerPort: 80 }, { hostPort: 0, containerPort: 81 }, { hostPort: 9, containerPort: 82 }];
  expect(decode({ runtimeConfig: { portMappings } }).portMappings).toEqual([
    { protocol: 'tcp', hostPort: 9, containerPort: 82, hostIP: '' },
  ]);
});

test('runtimeConfig wins over args.cni, and that over CNI_ARGS', () => {
  const runtimeConfig = { ips: ['10.1.0.3/24', 'fd00::3'], mac: '02-00-00-00-00-0A' };
  const args = { cni: { ips: ['10.1.0.4'], mac: '02:00:00:00:00:0b' } };
  const variables = 'IP=10.1.0.5/16;MAC=02:00:00:00:00:0c';
  expect(decode({ runtimeConfig, args }, variables)).toMatchObject({
    ips: ['10.1.0.3', 'fd00::3'],
    mac: '02:00:00:00:00:0a',
  });
  expect(decode({ args }, variables)).toMatchObject({ ips: ['10.1.0.4'], mac: '02:00:00:00:00:0b' });
  expect(decode({}, variables)).toMatchObject({ ips: ['10.1.0.5'], mac: '02:00:00:00:00:0c' });
});

describe('what is refused', () => {
  test.each<[string, Record<string, unknown>]>([
    ['an address that is none', { ips: ['10.1.0'] }],
    ['an address with a zone', { ips: ['fe80::1%eth0'] }],
    ['a number as address', { ips: [7] }],
    ['seventeen addresses', { ips: Array.from({ length: 17 }, () => '10.1.0.3') }],
    ['a multicast MAC', { mac: '01:00:5e:00:00:01' }],
    ['a MAC of zeros', { mac: '00:00:00:00:00:00' }],
    ['a short MAC', { mac: '02:00:00:00:00' }],
    ['port 70000', { portMappings: [{ hostPort: 70_000, containerPort: 80 }] }],
    ['container port 0', { portMappings: [{ hostPort: 80, containerPort: 0 }] }],
    ['no container port', { portMappings: [{ hostPort: 80 }] }],
    ['an unknown protocol', { portMappings: [{ hostPort: 80, containerPort: 80, protocol: 'icmp' }] }],
    ['syntax in a hostIP', { portMappings: [{ hostPort: 80, containerPort: 80, hostIP: '1.2.3.4; flush ruleset' }] }],
    ['a port as text', { portMappings: [{ hostPort: '80', containerPort: 80 }] }],
    ['a rate without burst', { bandwidth: { ingressRate: 1000 } }],
    ['a burst without rate', { bandwidth: { egressBurst: 1000 } }],
    ['a negative rate', { bandwidth: { egressRate: -1, egressBurst: 1 } }],
  ])('%s in runtimeConfig, with code 7', (_what, runtimeConfig) => {
    expect(codeOf({ runtimeConfig })).toBe(7);
  });

  test.each(['IP=nonsense', 'MAC=nonsense', 'IP=10.1.0.3,x', 'MAC=ff:ff:ff:ff:ff:ff'])(
    'CNI_ARGS %s, with code 4',
    (args) => {
      expect(codeOf({}, args)).toBe(4);
    },
  );
});

test('whatever comes, it is wishes or an error with a code', () => {
  const anything = fc.jsonValue({ maxDepth: 3 });
  const config = fc.record(
    {
      runtimeConfig: fc.oneof(
        anything,
        fc.record({ ips: anything, mac: anything, portMappings: anything, bandwidth: anything }, { requiredKeys: [] }),
      ),
      args: fc.oneof(anything, fc.record({ cni: anything })),
    },
    { requiredKeys: [] },
  );
  fc.assert(
    fc.property(config, fc.string(), (given, args) => {
      expect([0, 4, 7]).toContain(codeOf(given, args));
    }),
  );
});
