// The life of an installation on three nodes: by Helm from nothing, to the next version and back under load, away, and there again.
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { upCluster } from '../../cluster/cluster.ts';
import type { Cluster } from '../../cluster/cluster.ts';
import manifest from '../../package.json' with { type: 'json' };
import { chartFolder, helmOn } from '../../scripts/chart/helm.ts';
import { berthNamespace, manifestFolder, sidecarImages } from '../../scripts/deploy.ts';
import { buildImage } from '../../scripts/image.ts';
import { kubectl } from '../../scripts/kubectl.ts';
import { claimManifest, eventually, podManifest } from '../cluster/scene.ts';
import { usePeers } from '../cluster/peers.ts';
import { usePlugin } from '../cluster/plugin.ts';
import { clusterName } from '../cluster/setup.ts';
import { startLoad } from './load.ts';
import { buildNextImage, nextVersion } from './nextimage.ts';
import { check, doAsTold, onNode } from './removal.ts';

const inBerth = ['--namespace', berthNamespace];
const waiting = ['--wait', '--timeout', '300s'];
const install = ['install', 'berth', chartFolder, ...inBerth, '--create-namespace', ...waiting];
const uninstalling = join(manifestFolder, 'uninstall');

let cluster: Cluster;
let removeNext: () => Promise<void> = () => Promise.resolve();
const say = (line: string): unknown => process.stderr.write(`[lifecycle] ${line}\n`);
beforeAll(async () => {
  cluster = await upCluster({ name: `${clusterName}-lifecycle`, nodes: 3, images: ['busybox', ...sidecarImages] });
  await cluster.load((await buildImage({ progress: say })).path);
  const next = await buildNextImage(say);
  removeNext = next.remove;
  await cluster.load(next.path);
});
afterAll(async () => {
  await cluster.down();
  await removeNext();
});
const plugin = usePlugin(() => cluster);
// Called last, done first: what holds a volume's files ends before the cluster does.
usePeers();

async function versions(): Promise<readonly string[]> {
  const path = '{range .items[*]}{.status.version} {.status.conditions[0].status}{"\\n"}{end}';
  return (await kubectl(cluster, ['get', 'berthnodes', '-o', `jsonpath=${path}`])).trim().split('\n');
}

/** Names of the containers in the DaemonSet's pods. */
async function agentContainers(): Promise<readonly string[]> {
  const path = 'jsonpath={.spec.template.spec.containers[*].name}';
  return (await kubectl(cluster, ['get', 'daemonset', 'berth', ...inBerth, '-o', path])).split(' ');
}

async function everyNodeSays(version: string): Promise<void> {
  const wanted = cluster.nodes.map(() => `${version} True`).join();
  await eventually(`every node to be well with ${version}`, 90, async () =>
    (await versions()).join() === wanted ? true : undefined,
  );
}

async function applyPod(name: string): Promise<void> {
  const items = [podManifest(name, { limits: { 'berth.dev/fuse': 1 }, claims: { '/data': 'kept' } })];
  await kubectl(cluster, ['apply', '-f', '-'], { stdin: JSON.stringify({ apiVersion: 'v1', kind: 'List', items }) });
  await kubectl(cluster, ['wait', '--for=condition=Ready', 'pod', name, '--timeout=120s']);
}

const inPod = async (name: string, script: string): Promise<string> =>
  (await kubectl(cluster, ['exec', name, '--', 'sh', '-c', script])).trim();

test('two commands bring it onto an empty cluster, and a pod has all three', async () => {
  const began = performance.now();
  await helmOn(cluster, install);
  await kubectl(cluster, ['apply', '-f', '-'], { stdin: JSON.stringify(claimManifest('kept', 'berth-ext4', '64Mi')) });
  await applyPod('all');
  say(`from nothing to a pod with all three: ${((performance.now() - began) / 1000).toFixed(1)} s`);
  expect(
    await inPod('all', 'ip -o -4 addr show eth0 | wc -l; test -c /dev/fuse && mount | grep -c " /data type ext4"'),
  ).toBe('1\n1');
  await inPod('all', 'echo mine > /data/file && sync');
  await everyNodeSays(manifest.version);
});

test('to the next version, into one container and back nothing that runs notices', async () => {
  const load = await startLoad(cluster);
  const upgrade = ['upgrade', 'berth', chartFolder, ...inBerth, '--set', `image.tag=${nextVersion}`, ...waiting];
  await helmOn(cluster, upgrade);
  await everyNodeSays(nextVersion);
  // And as one container in place of three.
  await helmOn(cluster, [...upgrade, '--set', 'containers=single']);
  await everyNodeSays(nextVersion);
  expect(await agentContainers()).toContain('berth');
  await helmOn(cluster, ['rollback', 'berth', '1', ...inBerth, ...waiting]);
  await everyNodeSays(manifest.version);
  expect(await agentContainers()).not.toContain('berth');
  const { packets, stream, disk, devices, plain, gaps } = await load.end();
  say(
    `ping: of ${packets.sent} packets lost: ${packets.lost.length} (${packets.lost.join(', ')}), under way at the end: ${packets.underWay}`,
  );
  say(`iperf3: ${JSON.stringify(stream)}`);
  say(`fio: ${JSON.stringify(disk)}`);
  say(`Jobs with a device: ${JSON.stringify(devices)}; without: ${JSON.stringify(plain)}`);
  say(`milliseconds without a device plugin, for each node: ${JSON.stringify(gaps)}`);
  expect({ lost: packets.lost, silent: stream.silent, errors: disk.errors }).toEqual({
    lost: [],
    silent: 0,
    errors: 0,
  });
  expect({ devices: devices.failed, plain: plain.failed }).toEqual({ devices: [], plain: [] });
  // A second's worth.
  expect(packets.underWay).toBeLessThan(50);
  // Where no device is asked for there is nothing to refuse.
  expect(plain.refused).toBe(0);
  for (const happened of [packets.sent, stream.bytes, disk.written, disk.verified, devices.made, plain.made])
    expect(happened).toBeGreaterThan(0);
});

test('taken away it leaves pods as they are, and says what is left', async () => {
  await helmOn(cluster, ['uninstall', 'berth', ...inBerth, ...waiting]);
  expect(await inPod('all', 'cat /data/file')).toBe('mine');
  const { stdout, stderr, code } = await plugin.berth('uninstall', '--check');
  say(`left by helm uninstall:\n${stdout}${stderr}`);
  expect(code).toBe(1);
  expect(stdout).toMatch(
    /^persistentvolume\/pvc-\S+ +of the claim default\/kept +delete its claim while Berth is installed/m,
  );
  expect(stdout).toMatch(/^namespace\/berth-system .* kubectl delete namespaces berth-system$/m);
  for (const { name } of cluster.nodes) {
    expect(stdout).toMatch(
      new RegExp(`^node/${name} +the condition NetworkUnavailable.* kubectl patch node ${name} `, 'm'),
    );
    expect(stdout).toMatch(
      new RegExp(`^node/${name} +the label .* kubectl label node ${name} csi.berth.dev/node-$`, 'm'),
    );
    expect(stderr).toContain(`${name} could not be looked at`);
  }
});

test('the rest goes from each node once no pod has it, and the data stays', async () => {
  await kubectl(cluster, ['apply', '-k', uninstalling]);
  const pods = ['all', 'near', 'far'];
  await eventually('the nodes with pods to be refused', 60, async () => {
    const { found } = await check(plugin);
    return found.some(({ text }) => text.includes('with a network from Berth: delete their pods')) ? true : undefined;
  });
  // Their volumes cannot be unmounted before Berth is there again, their network can go.
  await kubectl(cluster, ['delete', 'pods', ...pods, '--wait=false']);
  await kubectl(cluster, ['rollout', 'status', '-n', 'berth-uninstall', 'daemonset/berth-uninstall', '--timeout=180s']);
  const left = await check(plugin);
  say(`left on the nodes:\n${left.found.map(({ what, text, remedy }) => `${what}  ${text}  ${remedy}`).join('\n')}`);
  expect(left.unseen).toEqual([]);
  for (const node of cluster.nodes) {
    const { rest, files } = await onNode(node);
    expect({ node: node.name, rest }).toEqual({ node: node.name, rest: '' });
    const told = left.found
      .filter(({ what }) => what === `node/${node.name}`)
      .map(({ text }) => text.split(':')[0] ?? '');
    const untold = files.filter((file) => !told.some((path) => `${file}/`.startsWith(`${path}/`)));
    expect({ node: node.name, untold }).toEqual({ node: node.name, untold: [] });
    expect(told).toContain('/var/lib/berth/pools/default');
  }
  // Each command that it tells does what it is told for. Data stays, and what goes by itself within five minutes.
  await doAsTold(left, plugin, cluster.kubeconfig);
  const { found } = await check(plugin);
  const others = found.filter(
    ({ what, text }) => !/^persistentvolume\//.test(what) && !text.startsWith('the resource'),
  );
  expect(others).toEqual([]);
  expect(found.filter(({ what }) => what.startsWith('persistentvolume/'))).toHaveLength(2);
});

test('there again it finds the data', async () => {
  await helmOn(cluster, install);
  await everyNodeSays(manifest.version);
  await kubectl(cluster, ['wait', '--for=delete', 'pod', 'all', 'near', 'far', '--timeout=120s']);
  await applyPod('next');
  expect(await inPod('next', 'cat /data/file')).toBe('mine');
});
