// Values that are of the wrong type, contradict each other or do not fit the cluster: none gets as far as the API server.
import { beforeAll, expect, test } from 'vitest';
import { ensurePrograms } from '../../cluster/build.ts';
import { tryRendering } from './helm.ts';

beforeAll(async () => {
  await ensurePrograms(['helm']);
}, 600_000);

const group = (name: string, more: object = {}): object => ({ name, ...more });
const off = { enabled: false };

test.each<[what: string, values: object, sentence: RegExp]>([
  [
    'text for a switch',
    { plugins: { network: { enabled: 'yes' } } },
    /plugins\/network\/enabled': got string, want boolean/,
  ],
  ['a number for a list', { tolerations: 1 }, /tolerations': got number, want array/],
  ['a key that nobody knows', { pluggins: {} }, /additional properties 'pluggins' not allowed/],
  ['a key that the NodeConfig has not', { config: { network: { podCidr: 'auto' } } }, /'podCidr' not allowed/],
  ['a value that the NodeConfig refuses', { config: { agent: { port: 70_000 } } }, /config\/agent\/port': maximum/],
  ['a pool without a place', { config: { storage: { pools: [{ name: 'a' }] } } }, /pools\/0': missing property 'path'/],
  [
    'a distribution that nobody knows',
    { distribution: 'openshift' },
    /distribution': value must be one of 'standard', 'k3s'/,
  ],
  ['a folder that is no absolute path', { kubeletDir: 'kubelet' }, /kubeletDir/],
  ['a digest that is none', { image: { digest: 'latest' } }, /image\/digest': 'latest' does not match pattern/],
  [
    'a quantity that is none',
    { resources: { berth: { limits: { memory: 'lots' } } } },
    /'lots' does not match pattern/,
  ],
  [
    'a filesystem that Berth does not make',
    { storageClasses: [{ name: 'a', fsType: 'ntfs' }] },
    /fsType': value must be one of/,
  ],
  [
    'a node group of two labels',
    { nodeGroups: [group('a', { nodeSelector: { a: 'b', c: 'd' } })] },
    /maxProperties: got 2, want 1/,
  ],
  ['a node group with the name of the rest', { nodeGroups: [group('default')] }, /nodeGroups\/0\/name': 'not' failed/],
  [
    'a digest and a tag',
    { image: { tag: '1', digest: `sha256:${'0'.repeat(64)}` } },
    /only one can be pulled: leave one out/,
  ],
  [
    'no plugin',
    { plugins: { network: off, devices: off, storage: off } },
    /nothing to do: set plugins.network.enabled/,
  ],
  ['two classes of one name', { storageClasses: [{ name: 'a' }, { name: 'a' }] }, /a name twice \(a, a\)/],
  [
    'two default classes',
    {
      storageClasses: [
        { name: 'a', default: true },
        { name: 'b', default: true },
      ],
    },
    /2 defaults \(a, b\), and a cluster has one: leave/,
  ],
  ['two node groups of one name', { nodeGroups: [group('a'), group('a')] }, /nodeGroups has a name twice \(a, a\)/],
  [
    'two node groups that share nodes',
    { nodeGroups: [group('a'), group('b', { nodeSelector: { disk: 'big' } })] },
    /could have the same node \(a, b\), which then has two agents: give all groups the same label/,
  ],
  [
    'a node group with a section that is off',
    { plugins: { storage: off }, nodeGroups: [group('a', { config: { storage: { maxVolumes: 5 } } })] },
    /changes config.storage, and plugins.storage.enabled is false: switch the plugin on/,
  ],
  [
    'a folder of the chart',
    { config: { network: { cniBinDir: '/x' } } },
    /config.network.cniBinDir is set by cni.binDir/,
  ],
  [
    'a node group with a folder of the chart',
    { nodeGroups: [group('a', { config: { agent: { stateDir: '/x' } } })] },
    /config.agent.stateDir is set by the chart/,
  ],
  [
    'a device to be opened by a container that may not',
    { config: { devices: { resources: [{ name: 'a.b/c', paths: ['/dev/null'], health: { open: 'r' } }] } } },
    /a.b\/c has health.open, and the container of the devices may open none: set containers=single/,
  ],
  [
    'snapshots without volumes',
    { plugins: { storage: off }, snapshots: { class: { enabled: true } } },
    /snapshots need volumes/,
  ],
  [
    'metrics without the rights for them',
    { config: { agent: { metrics: { port: 9890 } } } },
    /config.agent.metrics is set.*set metrics.enabled=true/,
  ],
  [
    'a PodMonitor of metrics that are off',
    { metrics: { podMonitor: { enabled: true } } },
    /nothing to read: set metrics.enabled=true too/,
  ],
  [
    'a PodMonitor in a cluster that has none',
    { metrics: { enabled: true, podMonitor: { enabled: true } } },
    /no PodMonitor: install the Prometheus operator first/,
  ],
  [
    'two certificates for metrics',
    { metrics: { enabled: true, tlsSecret: 'a' }, config: { agent: { metrics: { certFile: '/b', keyFile: '/c' } } } },
    /both say which certificate/,
  ],
])('%s is refused', async (_what, values, sentence) => {
  const { code, stderr } = await tryRendering({ values });
  expect(stderr).toMatch(sentence);
  expect(code).toBe(1);
});

test.each<[what: string, args: readonly string[], values: object, sentence: RegExp]>([
  ['older than the chart', ['--kube-version', '1.28.3'], {}, /requires kubeVersion: >=1.29.0-0/],
  [
    'too old for the policies',
    ['--kube-version', '1.31.9'],
    {},
    /policies need Kubernetes 1.32 .* has v1.31.9: upgrade it, or set/,
  ],
  [
    'too old for the placement',
    ['--kube-version', '1.35.0'],
    { snapshots: { placement: { enabled: true } } },
    /placement needs Kubernetes 1.36 .* set snapshots.placement.enabled=false/,
  ],
  [
    'namespace of others',
    ['--namespace', 'kube-system'],
    {},
    /a namespace of its own.*this is kube-system: add --namespace/,
  ],
])('a cluster or namespace is refused: %s', async (_what, args, values, sentence) => {
  const { code, stderr } = await tryRendering({ values, args });
  expect(stderr).toMatch(sentence);
  expect(code).toBe(1);
});

test('what is too old for the policies is served without them', async () => {
  const rendering = { values: { policies: off }, args: ['--kube-version', '1.31.9'] };
  const { code, stdout } = await tryRendering(rendering);
  expect([code, stdout.includes('ValidatingAdmissionPolicy')]).toEqual([0, false]);
});
