/** Runs Helm on daemonset/chart. Helm is built into the cache where it is missing (a minute or two, once). */
import { join } from 'node:path';
import { ensurePrograms } from '../../cluster/build.ts';
import type { Cluster } from '../../cluster/cluster.ts';
import { run, runChecked } from '../../cluster/command.ts';
import type { CommandResult } from '../../cluster/command.ts';

export const chartFolder = join(import.meta.dirname, '../../daemonset/chart');

/** What a rendering is asked for; values are laid over values.yaml. */
export interface Rendering {
  readonly values?: object;
  /** Only these templates, as paths below `templates/`. */
  readonly templates?: readonly string[];
  /** Further arguments of `helm template`. */
  readonly args?: readonly string[];
}

/** Runs helm on a cluster of cluster/. Errors: INTERNAL with what it said. */
export async function helmOn({ kubeconfig }: Pick<Cluster, 'kubeconfig'>, args: readonly string[]): Promise<string> {
  const { helm: program } = await ensurePrograms(['helm']);
  return await runChecked(program, args, { env: { ...process.env, KUBECONFIG: kubeconfig } });
}

/** `helm template` into the namespace berth-system, whatever its exit code. */
export async function tryRendering(rendering: Rendering = {}): Promise<CommandResult> {
  const { helm: program } = await ensurePrograms(['helm']);
  return await run(program, templateArguments(rendering), { stdin: JSON.stringify(rendering.values ?? {}) });
}

/** The text of the objects. Errors: INTERNAL with what Helm said. */
export async function render(rendering: Rendering = {}): Promise<string> {
  const { helm: program } = await ensurePrograms(['helm']);
  return await runChecked(program, templateArguments(rendering), { stdin: JSON.stringify(rendering.values ?? {}) });
}

function templateArguments({ templates = [], args = [] }: Rendering): readonly string[] {
  return [
    ...['template', 'berth', chartFolder, '--namespace', 'berth-system', '--skip-tests', '--values', '-'],
    // As a cluster with the snapshot CRDs.
    ...['--api-versions', 'snapshot.storage.k8s.io/v1'],
    ...templates.flatMap((each) => ['--show-only', `templates/${each}`]),
    ...args,
  ];
}
