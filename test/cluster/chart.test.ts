// The chart, install.yaml and the base for `kubectl apply -k` are the same objects, and the API server takes them in every form.
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { parseAllDocuments } from 'yaml';
import { z } from 'zod';
import { useCluster } from '../../cluster/cluster.ts';
import { chartFolder, helmOn, render } from '../../scripts/chart/helm.ts';
import { containers, renderPlain } from '../../scripts/chart/manifests.ts';
import { berthNamespace, manifestFolder } from '../../scripts/deploy.ts';
import { kubectl } from '../../scripts/kubectl.ts';
import { clusterName } from './setup.ts';

const cluster = useCluster(clusterName);
const object = z.looseObject({ kind: z.string(), metadata: z.looseObject({ name: z.string() }) });

/** The objects by kind and name, without the hash that kustomize adds to the ConfigMap's name, and what follows from it. */
function objectsOf(text: string): ReadonlyMap<string, unknown> {
  const documents = parseAllDocuments(text.replaceAll(/\bberth-config-[a-z0-9]{10}\b/g, 'berth-config'));
  const objects = documents.map((each) => object.parse(each.toJS()));
  return new Map(objects.map((each) => [`${each.kind} ${each.metadata.name}`, withoutNotes(each)]));
}

/** Comments in the configuration are no difference, nor is how its YAML is written or an expression is broken into lines. */
function withoutNotes(each: z.infer<typeof object>): unknown {
  if (each.kind !== 'ConfigMap') return JSON.parse(JSON.stringify(each).replaceAll(/(\\n| )+/g, ' ')) as unknown;
  const { data } = z.object({ data: z.record(z.string(), z.string()) }).parse(each);
  return {
    ...each,
    data: Object.entries(data).map(([name, text]) => [name, parseAllDocuments(text)[0]?.toJS() as unknown]),
  };
}

test('the chart, install.yaml and the base are the same objects', async () => {
  const flat = objectsOf(await readFile(join(manifestFolder, 'install.yaml'), 'utf8'));
  const folders = await Promise.all(
    [manifestFolder, join(manifestFolder, 'policies')].map((folder) => kubectl(cluster, ['kustomize', folder])),
  );
  const base = objectsOf(folders.join('---\n'));
  const chart = objectsOf(await renderPlain({ values: { containers, namespace: { create: true } } }));
  expect(flat.size).toBeGreaterThan(25);
  expect([...base.keys()].toSorted()).toEqual([...flat.keys()].toSorted());
  expect(Object.fromEntries(base)).toEqual(Object.fromEntries(flat));
  expect(Object.fromEntries(chart)).toEqual(Object.fromEntries(flat));
});

test('the folders beside the base are parts of the chart too', async () => {
  const snapshots = { class: { enabled: true }, controller: { enabled: true }, placement: { enabled: true } };
  const chart = objectsOf(await renderPlain({ values: { snapshots } }));
  for (const folder of ['snapshots', 'snapshots/controller', 'placement']) {
    const objects = objectsOf(await kubectl(cluster, ['kustomize', join(manifestFolder, folder)]));
    expect(objects.size).toBeGreaterThan(0);
    for (const [name, each] of objects) expect(chart.get(name)).toEqual(each);
  }
});

/** This cluster allows inline volumes, which the API server never takes back. */
const asHere = { config: { storage: { ephemeral: { enabled: true } } } };
const dryRun = ['apply', '--validate=strict', '--dry-run=server', '-f', '-'];
const on = { enabled: true };
const off = { enabled: false };
const groups = [
  { name: 'fast', config: { storage: { pools: [{ name: 'default', path: '/mnt/nvme' }] } } },
  { name: 'gpu', config: { devices: { resources: [{ name: 'a.b/gpu', paths: ['/dev/dri/card0'] }] } } },
];

test.each<[what: string, values: object]>([
  ...['standard', 'k3s', 'k0s', 'rke2', 'microk8s'].flatMap((distribution): [string, object][] => [
    [`${distribution}, split`, { distribution }],
    [`${distribution}, single`, { distribution, containers: 'single' }],
  ]),
  ['node groups', { nodeGroups: groups }],
  ['node groups, single', { nodeGroups: groups, containers: 'single' }],
  ['network only', { plugins: { network: on, devices: off, storage: off } }],
  ['devices only', { plugins: { network: off, devices: on, storage: off } }],
  ['storage only', { plugins: { network: off, devices: off, storage: on } }],
  ['all of snapshots', { snapshots: { class: on, controller: on, placement: on } }],
  [
    'everything said',
    {
      image: { digest: `sha256:${'0'.repeat(64)}` },
      imagePullSecrets: [{ name: 'mirror' }],
      extraEnv: [{ name: 'A', value: 'b' }],
      podAnnotations: { a: 'b' },
      podLabels: { a: 'b' },
      storageClasses: [{ name: 'berth-keep', reclaimPolicy: 'Retain', default: true, parameters: { pool: 'default' } }],
      namespace: { create: true },
    },
  ],
])('the API server accepts it: %s', async (_what, values) => {
  const stdin = await render({ values: { ...asHere, ...values } });
  const { stdout, stderr, code } = await cluster.kubectl(dryRun, { stdin });
  expect([code, stderr]).toEqual([0, '']);
  expect(stdout.trim().split('\n').length).toBe(parseAllDocuments(stdin).length);
});

test('it says so of what it does not', async () => {
  const stdin = await render({ values: { ...asHere, updateStrategy: { type: 'Sometimes' } } });
  const { stderr, code } = await cluster.kubectl(dryRun, { stdin });
  expect(stderr).toMatch(/DaemonSet\S* "berth" is invalid: spec.updateStrategy: Unsupported value.*Sometimes/);
  expect(code).toBe(1);
});

test('what a CSIDriver cannot change is refused with what to do', async () => {
  // Nobody is asked to allow inline volumes here, and the cluster's driver does.
  const installing = ['install', 'berth', chartFolder, '--namespace', berthNamespace, '--dry-run=server'];
  await expect(helmOn(cluster, installing)).rejects.toThrow(
    /cannot change: run `kubectl delete csidriver csi.berth.dev`/,
  );
});
