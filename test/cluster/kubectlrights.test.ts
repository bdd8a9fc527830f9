// What the plugin of kubectl tells somebody with few rights, and what it gathers for somebody with all.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { berthNamespace } from '../../scripts/deploy.ts';
import { kubectl } from '../../scripts/kubectl.ts';
import { kubeconfigOf, usePlugin } from './plugin.ts';
import { claimManifest, useScene } from './scene.ts';

const scene = useScene('kubectl-rights');
const { cluster } = scene;
const plugin = usePlugin(() => cluster);
const { berth, folder } = plugin;
const viewer = join(folder, 'viewer');

const asViewer = (...words: readonly string[]): ReturnType<typeof berth> => plugin.kubectl(['berth', ...words], viewer);

beforeAll(async () => {
  const account = { apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name: 'viewer' } };
  await scene.apply(account, claimManifest('data', 'berth-ext4', '64Mi'));
  const bound = ['--clusterrole=view', `--serviceaccount=${scene.namespace}:viewer`];
  await kubectl(cluster, ['create', 'clusterrolebinding', 'kubectl-berth-viewer', ...bound]);
  await kubeconfigOf(cluster, scene.namespace, 'viewer', viewer);
});
afterAll(async () => {
  await kubectl(cluster, ['delete', 'clusterrolebinding', 'kubectl-berth-viewer', '--ignore-not-found']);
});

describe('somebody who may only view', () => {
  test('sees what he may, and is told which rights are missing', async () => {
    const { code, stdout } = await asViewer('status');
    expect(code).toBe(1);
    expect(stdout).toMatch(/^Agents: +/m);
    expect(stdout).toContain('! Nodes could not be seen: you may not list nodes at the cluster scope');
    expect(stdout).toContain(
      '! BerthNodes could not be seen: you may not list berthnodes.berth.dev at the cluster scope',
    );
    expect(stdout).toMatch(/^node-1 +\S+ +serves /m);
  });

  test('cannot ask agents, and is told why', async () => {
    const { code, stdout, stderr } = await asViewer('get', 'pools');
    expect([code, stdout]).toEqual([1, '']);
    const lines = cluster.nodes.map(
      ({ name }) => `error: ${name}: you may not create pods/exec in the namespace ${berthNamespace}\n`,
    );
    expect(stderr).toBe(lines.join(''));
    const explained = await asViewer('explain', 'pvc/data', '-n', scene.namespace);
    expect(explained.stdout).toContain('What the nodes have could not be seen: you may not create pods/exec');
  });
});

test('doctor puts the findings of all nodes together', async () => {
  const { stdout } = await berth('doctor', '-o', 'json');
  interface Probe {
    readonly id: string;
    readonly outcomes: readonly { readonly nodes: readonly string[] }[];
  }
  const { probes } = JSON.parse(stdout) as { readonly probes: readonly Probe[] };
  expect(probes.length).toBeGreaterThan(10);
  for (const { outcomes } of probes)
    expect(new Set(outcomes.flatMap(({ nodes }) => nodes)).size).toBe(cluster.nodes.length);
});

test('bundle has what the nodes tell, and none of the secrets that were in reach', async () => {
  const canary = 'CaNaRy0123456789abcdef';
  const data = { 'note.txt': `https://user:${canary}@host.example token: ${canary}`, password: canary };
  const map = {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name: 'kubectl-berth-canary', namespace: berthNamespace },
    data,
  };
  await kubectl(cluster, ['create', '-f', '-'], { stdin: JSON.stringify(map) });
  try {
    const file = join(folder, 'bundle.tar.gz');
    const { code, stdout } = await berth('bundle', '-o', file);
    expect([code, stdout]).toEqual([0, expect.stringMatching(/bundle\.tar\.gz: \d+ files, /)]);
    const text = gunzipSync(readFileSync(file)).toString('latin1');
    expect(text).not.toContain(canary);
    expect(text).not.toMatch(/\beyJ[\w-]{10,}\.[\w-]{10,}|PRIVATE KEY-----/);
    expect(text).toContain('kubectl-berth-canary');
    for (const { name } of cluster.nodes)
      for (const path of ['pools.json', 'volumes.json', 'doctor.json', 'metrics.txt'])
        expect(text).toContain(`nodes/${name}/${path}`);
    expect(text).toContain('berth_build_info{');
  } finally {
    await kubectl(cluster, ['delete', 'configmap', 'kubectl-berth-canary', '-n', berthNamespace]);
  }
});

test('uninstall --check lists what is there, and removes nothing', async () => {
  const { code, stdout } = await berth('uninstall', '--check');
  expect(code).toBe(1);
  const parts = [
    'storageclass/berth-xfs',
    'csidriver/csi.berth.dev',
    'customresourcedefinition/berthnodes.berth.dev',
    'daemonset/berth',
  ];
  for (const part of [...parts, 'namespace/berth-system', 'validatingadmissionpolicy/berth-nodes'])
    expect(stdout).toContain(part);
  expect(stdout).toMatch(/^node\/node-1 +an agent that runs/m);
  expect((await berth('status')).code).toBe(0);
});
