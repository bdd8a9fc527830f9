import { expect, test } from 'vitest';
import { contradictions } from './contradictions.ts';
import type { CheckedSections } from './contradictions.ts';
import { formatProblem } from '../../kit/config/problem.ts';

const agent = { stateDir: '/var/lib/berth', port: 9880 };
const kubelet = { rootDir: '/var/lib/kubelet' };
const network = { podCIDR: 'auto', exclude: [], runDir: '/run/berth' };
const pool = (path: string): CheckedSections => ({
  agent: { ...agent, nodeName: 'a' },
  kubelet,
  storage: { runDir: '/run/berth/storage', pools: [{ path }] },
});

test.each<[string, CheckedSections, string | undefined, string[]]>([
  ['a pool on a disk is fine', pool('/mnt/disk'), undefined, []],
  ['a pool below the folder of the state is fine', pool('/var/lib/berth/pools/default'), undefined, []],
  [
    'a pool that dies with the boot',
    pool('/run/pool'),
    undefined,
    ['storage.pools[0].path: volumes would not survive there; expected a folder outside /run, got "/run/pool"'],
  ],
  [
    'a pool among the files of the kubelet',
    pool('/var/lib/kubelet/pool'),
    undefined,
    [
      'storage.pools[0].path: expected a folder outside kubelet.rootDir (/var/lib/kubelet), which the kubelet cleans up, got "/var/lib/kubelet/pool"',
    ],
  ],
  [
    'metrics on a port that a part of the agent has, and a certificate without its key',
    { agent: { ...agent, metrics: { port: 9882, certFile: '/tls.crt' } } },
    undefined,
    [
      'agent.metrics.port: expected a port 3 or more away from agent.port (9880): parts of the agent have the next ones, got 9882',
      'agent.metrics.keyFile: missing; expected a file, as for certFile',
    ],
  ],
  ['metrics on ports of their own', { agent: { ...agent, metrics: { port: 9883 } } }, undefined, []],
  [
    'addresses kept from pods that are of no range of theirs',
    {
      agent: { ...agent, nodeName: 'a' },
      network: {
        ...network,
        podCIDR: ['10.1.0.0/24', 'fd00::/64'],
        exclude: ['10.1.0.9', '10.1.0.250-10.1.1.3', 'fd00::/80', '10.2.0.0/28'],
      },
    },
    undefined,
    [
      'network.exclude[1]: expected addresses within a range of network.podCIDR (10.1.0.0/24, fd00::/64), got "10.1.0.250-10.1.1.3"',
      'network.exclude[3]: expected addresses within a range of network.podCIDR (10.1.0.0/24, fd00::/64), got "10.2.0.0/28"',
    ],
  ],
  [
    'addresses kept from pods when the Node tells its ranges',
    { agent: { ...agent, nodeName: 'a' }, network: { ...network, exclude: ['10.1.0.9'] } },
    undefined,
    [],
  ],
  ['the Node named by the environment', { agent, network }, 'a', []],
  [
    'a Node that nobody named, with storage and a network that needs its range',
    { agent, network, storage: { runDir: '/run/berth/storage', pools: [] } },
    undefined,
    [
      'agent.nodeName: missing, and NODE_NAME is not set; expected the name of this Node: storage ties its volumes to it; network.podCIDR is auto, so it is read from the Node',
    ],
  ],
  [
    'a network with its own range needs no name',
    { agent, network: { ...network, podCIDR: '10.1.0.0/24' } },
    undefined,
    [],
  ],
  [
    'network and storage in one folder',
    { network, storage: { runDir: '/run/berth', pools: [] } },
    undefined,
    ['storage.runDir: expected another folder than network.runDir, each keeps its own records there, got "/run/berth"'],
  ],
  ['devices need no name', { agent, devices: {} }, undefined, []],
])('%s', (_, sections, environment, expected) => {
  expect(contradictions(sections, environment).map((each) => formatProblem('f', each))).toEqual(
    expected.map((each) => `f: ${each}`),
  );
});
