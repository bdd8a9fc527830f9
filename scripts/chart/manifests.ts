/** Which files of daemonset/ are made of the chart, and how: the base of `kubectl apply -k`, its folders beside it, and install.yaml. */
import { parseAllDocuments } from 'yaml';
import { z } from 'zod';
import { render } from './helm.ts';
import type { Rendering } from './helm.ts';

/** How the agent's containers are divided in what is made of the chart; the chart itself has its own default (values.yaml). */
export const containers = 'single';

const header = '# Made by npm run generate from daemonset/chart: change that.\n';
const values = { containers, namespace: { create: true } };
const withSnapshots = {
  ...values,
  snapshots: { class: { enabled: true }, controller: { enabled: true }, placement: { enabled: true } },
};
const rbac = ['serviceaccount', 'agent', 'provisioner', 'snapshotter', 'resizer'];

/** Templates of each file that is a part of the chart; paths are relative to daemonset/ and to the chart's templates/. */
const parts: Readonly<Record<string, readonly string[]>> = {
  'namespace.yaml': ['namespace.yaml'],
  'rbac.yaml': rbac.map((each) => `rbac/${each}.yaml`),
  'csidriver.yaml': ['csidriver.yaml'],
  'storageclasses.yaml': ['storageclasses.yaml'],
  'daemonset.yaml': ['daemonset.yaml'],
  'crds/berthnodes.yaml': ['crds/berthnodes.yaml'],
  'policies/berthnodes.yaml': ['policies/berthnodes.yaml'],
  'policies/claims.yaml': ['policies/claims.yaml'],
  'policies/nodes.yaml': ['policies/nodes.yaml'],
  'policies/snapshots.yaml': ['policies/snapshots.yaml'],
  'policies/volumes.yaml': ['policies/volumes.yaml'],
  'placement/clones.yaml': ['placement/clones.yaml'],
  'placement/contents.yaml': ['placement/contents.yaml'],
  'placement/restores.yaml': ['placement/restores.yaml'],
  'snapshots/snapshotclass.yaml': ['snapshots/snapshotclass.yaml'],
  'snapshots/controller/rbac.yaml': ['snapshots/controller-rbac.yaml'],
  'snapshots/controller/deployment.yaml': ['snapshots/controller-deployment.yaml'],
};

const configMap = z.object({ data: z.object({ 'config.yaml': z.string() }) });

/** The text of each file before it is formatted, by its path in daemonset/. */
export async function manifestFiles(): Promise<ReadonlyMap<string, string>> {
  const files = new Map<string, string>();
  for (const [path, templates] of Object.entries(parts)) {
    files.set(path, header + (await renderPlain({ values: withSnapshots, templates })));
  }
  const withMetrics = { ...values, metrics: { enabled: true } };
  files.set(
    'metrics/rbac.yaml',
    header + (await renderPlain({ values: withMetrics, templates: ['rbac/metrics.yaml'] })),
  );
  const [document] = parseAllDocuments(await render({ values, templates: ['configmap.yaml'] }));
  const yours =
    '# Made by npm run generate from the values of daemonset/chart. In a copy of your own, or an overlay, it is yours.\n';
  files.set('config.yaml', yours + configMap.parse(document?.toJS()).data['config.yaml']);
  files.set('install.yaml', `${header}# kubectl apply -f daemonset/install.yaml\n${await renderPlain({ values })}`);
  return files;
}

/** Without what only Helm needs: where objects come from, its labels, and the hash that rolls the DaemonSet. */
export async function renderPlain(rendering: Rendering): Promise<string> {
  const helmsOwn =
    /^(# Source: .*|\s+(app\.kubernetes\.io\/(instance|managed-by)|helm\.sh\/chart|checksum\/config): .*)$/;
  const text = await render(rendering);
  const kept = text.split('\n').filter((line) => !helmsOwn.test(line));
  return kept.join('\n').replace(/^---\n/, '');
}
