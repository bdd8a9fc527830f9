// Berth by `helm install` as the chart is by default: one container for each plugin, on a node of its own. What each may do, and that it is enough.
import { afterAll, beforeAll, expect, test } from 'vitest';
import { upCluster } from '../../cluster/cluster.ts';
import type { Cluster } from '../../cluster/cluster.ts';
import { chartFolder, helmOn } from '../../scripts/chart/helm.ts';
import { berthNamespace, sidecarImages } from '../../scripts/deploy.ts';
import { buildImage } from '../../scripts/image.ts';
import { eventsOf, inPod, isSettled, kubectl, listPods } from '../../scripts/kubectl.ts';
import type { Pod } from '../../scripts/kubectl.ts';
import { everyAgentHas } from './agentfiles.ts';
import { busybox, claimManifest, eventually } from './scene.ts';
import { clusterName } from './setup.ts';

const inNamespace = ['--namespace', berthNamespace, '--timeout', '120s'];
const installing = ['berth', chartFolder, ...inNamespace, '--wait'];
const sysctls = { 'net.core.somaxconn': '1024', 'net.ipv4.conf.IFNAME.arp_filter': '1' };
const values = ['--set-json', `config.network.sysctls=${JSON.stringify(sysctls)}`];

let cluster: Cluster;
beforeAll(async () => {
  const progress = (line: string): unknown => process.stderr.write(`[split] ${line}\n`);
  cluster = await upCluster({ name: `${clusterName}-split`, images: ['busybox', ...sidecarImages] });
  await cluster.load((await buildImage({ progress })).path);
  await helmOn(cluster, ['install', ...installing, '--create-namespace', ...values]);
}, 1_800_000);
afterAll(async () => {
  await cluster.down();
});

async function agent(): Promise<Pod> {
  const found = (await listPods(cluster, berthNamespace)).find(({ metadata }) => metadata.name.startsWith('berth-'));
  if (found === undefined) throw new Error('no agent runs');
  return found;
}

/** What a command prints in a container of the agent. */
async function inAgent(container: string, ...command: readonly string[]): Promise<string> {
  const { stdout, stderr, code } = await inPod(cluster, await agent(), command, container);
  if (code !== 0) throw new Error(stderr);
  return stdout;
}

async function inVisitor(command: string): Promise<string> {
  return (await kubectl(cluster, ['exec', 'visitor', '--', 'sh', '-c', command])).trim();
}

const visitor = {
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name: 'visitor' },
  spec: {
    terminationGracePeriodSeconds: 1,
    containers: [
      {
        name: 'main',
        image: busybox,
        command: ['httpd', '-f', '-p', '8080', '-h', '/data'],
        ports: [{ containerPort: 8080, hostPort: 8088 }],
        resources: { limits: { 'berth.dev/fuse': 1 } },
        volumeMounts: [{ name: 'data', mountPath: '/data' }],
      },
    ],
    volumes: [{ name: 'data', persistentVolumeClaim: { claimName: 'data' } }],
  },
};

async function startVisitor(): Promise<void> {
  const items = [claimManifest('data', 'berth-xfs', '300Mi'), visitor];
  await kubectl(cluster, ['apply', '-f', '-'], { stdin: JSON.stringify({ apiVersion: 'v1', kind: 'List', items }) });
  await eventually('the pod to run', 90, async () => {
    const pod = (await listPods(cluster, 'default')).find(({ metadata }) => metadata.name === 'visitor');
    return pod !== undefined && isSettled(pod) ? pod : undefined;
  });
}

/** What the pod serves, asked through its port of the node. */
async function served(): Promise<string> {
  const ask = ['timeout', '5', 'busybox', 'wget', '-q', '-O', '-', 'http://10.77.0.11:8088/index.html'];
  const { stdout, stderr } = await cluster.nodes[0]!.exec(ask);
  return (stdout + stderr).trim();
}

// NET_ADMIN is 12, SYS_ADMIN 21.
test.each([
  ['network', ((1n << 12n) | (1n << 21n)).toString(16), '1', '2'],
  ['devices', '0', '1', '2'],
])(
  'the container %s has the capabilities %s, gains none, and has a filter for system calls',
  async (name, ...wanted) => {
    const status = await inAgent(name, 'cat', '/proc/1/status');
    const of = (key: string) => new RegExp(`^${key}:\\s*0*([0-9a-f]+)$`, 'm').exec(status)?.[1];
    expect([of('CapBnd'), of('NoNewPrivs'), of('Seccomp')]).toEqual(wanted);
    expect(of('CapEff')).toBe(wanted[0]);
  },
);

test.each(['network', 'devices'])('the container %s sees neither volumes nor the pods of the kubelet', async (name) => {
  const mounts = await inAgent(name, 'cat', '/proc/1/mountinfo');
  const at = mounts.split('\n').map((line) => line.split(' ')[4] ?? '');
  expect(at.filter((path) => /\/pools|kubelet\/(pods|plugins$)/.test(path))).toEqual([]);
  await expect(inAgent(name, 'ls', '/var/lib/berth/pools')).rejects.toThrow('No such file');
});

test.each(['network', 'devices', 'storage'])('the doctor finds nothing wrong in the container %s', async (name) => {
  const { findings } = JSON.parse(await inAgent(name, 'berth', 'doctor', '-o', 'json')) as {
    readonly findings: readonly { readonly id: string; readonly severity: string; readonly message: string }[];
  };
  expect(findings.length).toBeGreaterThan(10);
  expect(findings.filter(({ severity }) => severity === 'failure')).toEqual([]);
});

test('a pod gets network, device and volume', async () => {
  await startVisitor();
  expect(await inVisitor('cat /proc/sys/net/core/somaxconn /proc/sys/net/ipv4/conf/eth0/arp_filter')).toBe('1024\n1');
  expect(await inVisitor('test -c /dev/fuse && mount | grep -c " /data type xfs"')).toBe('1');
  await inVisitor('echo kept > /data/index.html && sync');
  expect(await served()).toBe('kept');
});

test('one container is asked and all answer', async () => {
  expect(await inAgent('devices', 'berth', 'get', 'attachments')).toMatch(/visitor +eth0/);
  expect(await inAgent('network', 'berth', 'get', 'volumes')).toMatch(/default\/data/);
  expect(await inAgent('storage', 'berth', 'get', 'devices')).toMatch(/berth.dev\/fuse .* 1\/2/);
});

test('a resource that is added while the agent runs is offered', async () => {
  const rules = 'resources: [{ name: split.test/zero, paths: [/dev/zero] }]';
  await kubectl(cluster, [
    'create',
    'configmap',
    'berth-devices',
    '-n',
    berthNamespace,
    `--from-literal=a.yaml=${rules}`,
  ]);
  // The kubelet looks at the ConfigMaps of a pod whenever the pod changes.
  await kubectl(cluster, [
    'annotate',
    'pod',
    '-n',
    berthNamespace,
    (await agent()).metadata.name,
    'berth.dev/devices=1',
  ]);
  const path = '-o=jsonpath={.status.allocatable.split\\.test/zero}';
  const offered = await eventually('the resource', 60, async () => {
    return (await kubectl(cluster, ['get', 'node', 'node-1', path])) || undefined;
  });
  expect(offered).toBe('1');
});

test('a changed configuration is told by each container as far as it runs it, and by the doctor as a whole', async () => {
  const path = '-o=jsonpath={.data.config\\.yaml}';
  const original = await kubectl(cluster, ['get', 'configmap', 'berth-config', '-n', berthNamespace, path]);
  const put = async (text: string): Promise<void> => {
    const patch = JSON.stringify({ data: { 'config.yaml': text } });
    await kubectl(cluster, ['patch', 'configmap/berth-config', '-n', berthNamespace, '--type=merge', '--patch', patch]);
    await everyAgentHas(cluster, 'config/config.yaml', text);
  };
  const told = async (container: string): Promise<string> => {
    const { findings } = JSON.parse(await inAgent(container, 'berth', 'doctor', '-o', 'json')) as {
      readonly findings: readonly { readonly id: string; readonly message: string }[];
    };
    return findings.find(({ id }) => id === 'agent.config-pending')?.message ?? '';
  };
  const addition = { network: 'network:\n  mtu: 1400', storage: 'storage:\n  maxVolumes: 9' };
  await put(original.replace(/^network:$/m, addition.network).replace(/^storage:$/m, addition.storage));
  for (const name of ['network', 'devices', 'storage'])
    expect(await told(name)).toMatch(
      /since the agent started: (network\.mtu, storage\.maxVolumes|storage\.maxVolumes, network\.mtu)$/,
    );
  // Each of its own section alone.
  const { metadata } = await agent();
  const log = await kubectl(cluster, ['logs', '-n', berthNamespace, metadata.name, '-c', 'storage']);
  const pending = log.split('\n').findLast((line) => line.includes('"config.pending"'));
  expect(JSON.parse(pending ?? '{}')).toMatchObject({ fields: ['storage.maxVolumes'] });
  await put(original);
  expect(await told('devices')).toMatch(/^the agent runs with what .* says$/);
});

test('helm test says that it works', async () => {
  const said = await helmOn(cluster, ['test', 'berth', ...inNamespace, '--logs']);
  expect(said).toMatch(/Phase: +Succeeded/);
  expect(said).toContain('Berth works.');
});

test('after helm uninstall the pod goes on, and after another install its data is there', async () => {
  await helmOn(cluster, ['uninstall', 'berth', ...inNamespace, '--wait']);
  await eventually('the agent to be gone', 60, async () => {
    return (await listPods(cluster, berthNamespace)).length === 0 ? true : undefined;
  });
  expect(await served()).toBe('kept');
  // All in one container this time: it finds what the three have left.
  await helmOn(cluster, ['install', ...installing, '--set', 'containers=single']);
  expect(await served()).toBe('kept');
  await kubectl(cluster, ['delete', 'pod', 'visitor', '--wait']);
  expect(await inAgent('berth', 'berth', 'get', 'attachments')).not.toContain('visitor');
  await startVisitor();
  expect(await inVisitor('cat /data/index.html')).toBe('kept');
  await helmOn(cluster, ['upgrade', ...installing, '--set', 'containers=split']);
  expect(await inAgent('storage', 'berth', 'get', 'attachments')).toMatch(/visitor +eth0/);
  expect(await served()).toBe('kept');
  await kubectl(cluster, ['delete', 'pod/visitor', 'pvc/data', '--wait']);
});

test('a kubelet folder that is none is told as an event, and nothing is made there', async () => {
  await helmOn(cluster, ['upgrade', 'berth', chartFolder, ...inNamespace, '--set', 'kubeletDir=/srv/kubelet']);
  const said = await eventually('an event', 60, async () => {
    const { metadata } = await agent();
    const events = await eventsOf(cluster, 'Pod', berthNamespace, metadata.name);
    return events.find(({ reason }) => reason === 'FailedMount')?.message;
  });
  expect(said).toMatch(/hostPath type check failed: \/srv\/kubelet\S* is not a directory/);
  expect((await cluster.nodes[0]!.exec(['ls', '/srv/kubelet'])).stderr).toContain('No such file');
});
