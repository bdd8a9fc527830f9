// What the chart makes of its values: configurations that the agent accepts, with what they name in the containers that need it.
import { beforeAll, describe, expect, test } from 'vitest';
import { parseAllDocuments } from 'yaml';
import { z } from 'zod';
import { loadNodeConfig } from '../../agent/nodeconfig.ts';
import type { NodeConfig } from '../../agent/nodeconfig.ts';
import { partOf, plugins } from '../../agent/part.ts';
import type { Plugin } from '../../agent/part.ts';
import { ensurePrograms } from '../../cluster/build.ts';
import { render } from './helm.ts';
import type { Rendering } from './helm.ts';

beforeAll(async () => {
  await ensurePrograms(['helm']);
}, 600_000);

const probe = z.object({ httpGet: z.object({ port: z.int() }) });
const container = z.object({
  name: z.string(),
  image: z.string(),
  args: z.array(z.string()),
  securityContext: z.looseObject({}),
  livenessProbe: probe.optional(),
  readinessProbe: probe.optional(),
  ports: z.array(z.object({ name: z.string(), containerPort: z.int() })).optional(),
  volumeMounts: z.array(z.object({ name: z.string(), mountPath: z.string(), readOnly: z.boolean().optional() })),
});
const podSpec = z.object({
  nodeSelector: z.record(z.string(), z.string()),
  affinity: z.unknown().optional(),
  containers: z.array(container),
  volumes: z.array(z.object({ name: z.string(), hostPath: z.object({ path: z.string() }).optional() })),
});
const object = z.looseObject({ kind: z.string(), metadata: z.looseObject({ name: z.string() }) });
const daemonSet = object.extend({ spec: z.looseObject({ template: z.looseObject({ spec: podSpec }) }) });
const configMap = object.extend({ data: z.object({ 'config.yaml': z.string() }) });

async function objects(rendering: Rendering): Promise<readonly z.infer<typeof object>[]> {
  return parseAllDocuments(await render(rendering)).map((each) => object.parse(each.toJS()));
}

/** Each DaemonSet's pod with the configuration that it reads. */
async function agents(values: object, args: readonly string[] = []) {
  const all = await objects({ values, args });
  const configs = all.filter(({ kind }) => kind === 'ConfigMap').map((each) => configMap.parse(each));
  return all
    .filter(({ kind }) => kind === 'DaemonSet')
    .map((each) => {
      const { metadata, spec } = daemonSet.parse(each);
      const name = metadata.name.replace('berth', 'berth-config');
      const text = configs.find((map) => map.metadata.name === name)?.data['config.yaml'] ?? '';
      const loaded = loadNodeConfig(text, 'a');
      if ('problems' in loaded) throw new Error(JSON.stringify(loaded.problems));
      return { name: metadata.name, config: loaded.config, pod: spec.template.spec };
    });
}

/** Paths that a plugin names in its configuration, and those it writes to by itself. */
function pathsOf(config: NodeConfig, plugin: Plugin): readonly string[] {
  const { kubelet, agent, network, devices, storage } = config;
  const named = {
    network: [network?.cniBinDir, network?.cniConfDir, network?.runDir, '/run/netns'],
    devices: [devices?.devRoot, devices?.cdiDir, devices?.udevRoot, devices?.rulesDir, devices?.featuresDir],
    storage: [kubelet.rootDir, storage?.runDir, '/dev', ...(storage?.pools.map(({ path }) => path) ?? [])],
  };
  const kubelets = ['device-plugins', 'plugins_registry', 'pod-resources'].map((each) => `${kubelet.rootDir}/${each}`);
  const own = { network: [agent.stateDir], devices: [`${agent.stateDir}/devices`, ...kubelets], storage: [] };
  return [...named[plugin].filter((path) => path !== undefined), agent.socket, ...own[plugin]];
}

const elsewhere = {
  network: { podCIDR: 'auto' },
  storage: { pools: [{ name: 'default', path: '/mnt/disk' }] },
  devices: { resources: [], featuresDir: '/etc/kubernetes/node-feature-discovery/features.d' },
};

describe.each(['standard', 'k3s', 'k0s', 'rke2', 'microk8s'])('on %s', (distribution) => {
  test.each(['split', 'single'])('containers: %s have what their configuration names', async (containers) => {
    for (const config of [{}, elsewhere]) {
      for (const { config: whole, pod } of await agents({ distribution, containers, config })) {
        for (const plugin of plugins) {
          const one = pod.containers.find(({ name }) => name === (containers === 'single' ? 'berth' : plugin));
          const mounts = one?.volumeMounts.map(({ mountPath }) => mountPath) ?? [];
          const missing = pathsOf(whole, plugin).filter(
            (path) => !mounts.some((mount) => path === mount || path.startsWith(`${mount}/`)),
          );
          expect(missing).toEqual([]);
        }
      }
    }
  });
});

test.each([
  ['k3s', {}, '/var/lib/kubelet', '/var/lib/rancher/k3s/data/cni', '/var/lib/rancher/k3s/agent/etc/cni/net.d'],
  ['k0s', {}, '/var/lib/k0s/kubelet', '/opt/cni/bin', '/etc/cni/net.d'],
  ['rke2', {}, '/var/lib/kubelet', '/opt/cni/bin', '/etc/cni/net.d'],
  [
    'microk8s',
    {},
    '/var/snap/microk8s/common/var/lib/kubelet',
    '/var/snap/microk8s/current/opt/cni/bin',
    '/var/snap/microk8s/current/args/cni-network',
  ],
  [
    'k0s',
    { kubeletDir: '/data/kubelet', cni: { binDir: '/data/bin' } },
    '/data/kubelet',
    '/data/bin',
    '/etc/cni/net.d',
  ],
])('the folders of %s with %j', async (distribution, named, kubelet, bin, conf) => {
  const [agent] = await agents({ distribution, ...named });
  expect(agent?.config.kubelet.rootDir).toBe(kubelet);
  expect([agent?.config.network?.cniBinDir, agent?.config.network?.cniConfDir]).toEqual([bin, conf]);
  const hostPaths = agent?.pod.volumes.flatMap(({ hostPath }) => hostPath?.path ?? []);
  expect(hostPaths).toEqual(expect.arrayContaining([kubelet, bin, conf, `${kubelet}/plugins`]));
});

test('each container of its own is probed where its part of the agent serves', async () => {
  const [agent] = await agents({ config: { agent: { port: 7000 } } });
  for (const plugin of plugins) {
    const { port } = partOf(agent!.config, [plugin]).agent;
    const one = agent?.pod.containers.find(({ name }) => name === plugin);
    expect(one?.args).toEqual(['run', '--config', '/etc/berth/config.yaml', '--only', plugin]);
    expect([one?.livenessProbe?.httpGet.port, one?.readinessProbe?.httpGet.port]).toEqual([port, port]);
  }
});

test('no container has more rights than its plugin needs', async () => {
  const [agent] = await agents({});
  const rights = Object.fromEntries(agent!.pod.containers.map(({ name, securityContext }) => [name, securityContext]));
  const confined = {
    allowPrivilegeEscalation: false,
    readOnlyRootFilesystem: true,
    seccompProfile: { type: 'RuntimeDefault' },
  };
  expect(rights).toMatchObject({
    network: { ...confined, capabilities: { drop: ['ALL'], add: ['NET_ADMIN', 'SYS_ADMIN'] } },
    devices: { ...confined, capabilities: { drop: ['ALL'] } },
    storage: { privileged: true, readOnlyRootFilesystem: true },
  });
  expect(rights['devices']).not.toHaveProperty('capabilities.add');
  for (const [name, right] of Object.entries(rights)) {
    if (name === 'storage') continue;
    expect([name, right['privileged']]).toEqual([name, undefined]);
  }
  // Volumes are the storage's alone.
  const stateOf = (name: string) =>
    agent?.pod.volumes.find((volume) => volume.name === name)?.hostPath?.path ?? `no volume ${name}`;
  const below = agent!.pod.containers
    .filter(({ name }) => name !== 'storage')
    .flatMap(({ volumeMounts }) => volumeMounts.map(({ name }) => stateOf(name)));
  expect(below.filter((path) => ['/var/lib/berth', '/var/lib/kubelet', '/'].includes(path))).toEqual([]);
});

test('node groups have a DaemonSet and a configuration of their own, and the other nodes keep off', async () => {
  const fast = { name: 'fast', config: { storage: { pools: [{ name: 'default', path: '/mnt/nvme' }] } } };
  const gpu = { name: 'gpu', config: { devices: { resources: [{ name: 'a.b/gpu', paths: ['/dev/dri/card0'] }] } } };
  const affinity = {
    nodeAffinity: {
      requiredDuringSchedulingIgnoredDuringExecution: {
        nodeSelectorTerms: [{ matchExpressions: [{ key: 'a', operator: 'Exists' }] }, { matchFields: [] }],
      },
    },
  };
  const all = await agents({ nodeGroups: [fast, gpu], affinity });
  expect(all.map(({ name }) => name).toSorted()).toEqual(['berth', 'berth-fast', 'berth-gpu']);
  const off = { key: 'berth.dev/node-group', operator: 'NotIn', values: ['fast', 'gpu'] };
  const [rest, first, second] = ['berth', 'berth-fast', 'berth-gpu'].map((name) =>
    all.find((each) => each.name === name),
  );
  expect(rest?.pod.affinity).toEqual({
    nodeAffinity: {
      requiredDuringSchedulingIgnoredDuringExecution: {
        nodeSelectorTerms: [
          { matchExpressions: [{ key: 'a', operator: 'Exists' }, off] },
          { matchExpressions: [off], matchFields: [] },
        ],
      },
    },
  });
  expect(first?.pod.nodeSelector).toEqual({ 'kubernetes.io/os': 'linux', 'berth.dev/node-group': 'fast' });
  expect(first?.config.storage?.pools.map(({ path }) => path)).toEqual(['/mnt/nvme']);
  expect(first?.config.devices).toEqual(rest?.config.devices);
  expect(second?.config.devices?.resources.map(({ name }) => name)).toEqual(['a.b/gpu']);
  expect(second?.config.storage).toEqual(rest?.config.storage);
});

test.each(plugins)('with only %s there is nothing of the others', async (only) => {
  const values = { plugins: Object.fromEntries(plugins.map((each) => [each, { enabled: each === only }])) };
  const [agent] = await agents(values);
  const sections = plugins.filter((each) => agent?.config[each] !== undefined);
  expect(sections).toEqual([only]);
  const names = agent?.pod.containers.map(({ name }) => name).filter((name) => !name.startsWith('csi-'));
  expect(names).toEqual([only]);
  const roles = (await objects({ values }))
    .filter(({ kind }) => kind === 'ClusterRole')
    .map(({ metadata }) => metadata.name);
  expect(roles.includes('berth-provisioner')).toBe(only === 'storage');
  expect(roles).toContain('berth-agent');
});

test('the policies look at the service account of the release', async () => {
  const text = await render({ values: { serviceAccount: { name: 'agent' } }, args: ['--namespace', 'else'] });
  const named = new Set(text.match(/system:serviceaccount:[a-z:-]+/g));
  expect([...named]).toEqual(['system:serviceaccount:else:agent']);
  expect(text).not.toContain('berth-system');
});

test('an image by its digest', async () => {
  const digest = `sha256:${'a'.repeat(64)}`;
  const [agent] = await agents({ image: { repository: 'mirror.example/berth', digest } });
  expect(agent?.pod.containers[0]?.image).toBe(`mirror.example/berth@${digest}`);
});

const monitor = object.extend({
  spec: z.looseObject({ podMetricsEndpoints: z.array(z.looseObject({ port: z.string() })) }),
});

test('of split containers that of the devices starts first, and kubectl takes that of the network', async () => {
  const [agent] = await agents({ containers: 'split' });
  expect(agent?.pod.containers.slice(0, 3).map(({ name }) => name)).toEqual(['devices', 'network', 'storage']);
  const all = await render({ values: { containers: 'split' }, templates: ['daemonset.yaml'] });
  expect(all).toContain('kubectl.kubernetes.io/default-container: network');
});

test.each<[containers: string, ports: readonly (readonly [string, number])[]]>([
  [
    'split',
    [
      ['metrics-devices', 9891],
      ['metrics-network', 9890],
      ['metrics-storage', 9892],
    ],
  ],
  ['single', [['metrics', 9890]]],
])(
  'metrics of %s containers are where the configuration says, and a PodMonitor reads each',
  async (containers, ports) => {
    const metrics = { enabled: true, tlsSecret: 'berth-tls', podMonitor: { enabled: true, labels: { release: 'a' } } };
    const values = { containers, metrics, config: { agent: { metrics: { port: 9890 } } } };
    const args = ['--api-versions', 'monitoring.coreos.com/v1/PodMonitor'];
    const [agent] = await agents(values, args);
    const given = agent?.pod.containers.flatMap((each) => each.ports ?? []);
    expect(given?.map(({ name, containerPort }) => [name, containerPort])).toEqual(ports);
    expect(agent?.config.agent.metrics).toEqual({
      address: 'node',
      port: 9890,
      certFile: '/etc/berth-tls/tls.crt',
      keyFile: '/etc/berth-tls/tls.key',
    });
    for (const { name, volumeMounts } of agent?.pod.containers ?? [])
      expect(volumeMounts.some(({ mountPath }) => mountPath === '/etc/berth-tls')).toBe(!name.startsWith('csi-'));
    const all = await objects({ values, args });
    const { metadata, spec } = monitor.parse(all.find(({ kind }) => kind === 'PodMonitor'));
    expect(metadata['labels']).toMatchObject({ release: 'a' });
    expect(spec.podMetricsEndpoints.map(({ port }) => port).toSorted()).toEqual(ports.map(([name]) => name));
    expect(all.map((each) => each.metadata.name)).toContain('berth-metrics-reader');
  },
);

test('without metrics nobody may ask about tokens, and no port is declared', async () => {
  const text = await render({});
  expect(text).not.toMatch(/tokenreviews|containerPort|PodMonitor/);
});
