/** The plugin on PATH beside the real kubectl, and nothing else of Berth, as on a user's machine. */
import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll } from 'vitest';
import type { Cluster } from '../../cluster/cluster.ts';
import { kubectl } from '../../scripts/kubectl.ts';
import { buildPlugin } from '../../scripts/plugin.ts';

interface Answer {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface Plugin {
  /** Where it is, and where it runs. */
  readonly folder: string;
  /** `kubectl WORDS`, with the kubeconfig of the administrator unless told otherwise. */
  readonly kubectl: (words: readonly string[], kubeconfig?: string) => Promise<Answer>;
  /** `kubectl berth WORDS`. */
  readonly berth: (...words: readonly string[]) => Promise<Answer>;
}

/** Builds it before the tests of the file, and removes it after them. `where` is asked when the cluster is up. */
export function usePlugin(where: () => Cluster): Plugin {
  const folder = mkdtempSync(join(tmpdir(), 'berth-kubectl-'));
  beforeAll(async () => {
    await buildPlugin(folder);
    // Without what the cluster's own script sets: the user's kubeconfig shall count.
    const own = readFileSync(where().kubectlPath, 'utf8')
      .split('\n')
      .find((line) => line.startsWith('exec '));
    writeFileSync(join(folder, 'kubectl'), `#!/bin/sh\n${own ?? 'exit 1'}\n`, { mode: 0o755 });
  });
  afterAll(() => {
    rmSync(folder, { recursive: true });
  });
  const run = (words: readonly string[], kubeconfig = where().kubeconfig): Promise<Answer> => {
    const path = `${folder}:${dirname(process.execPath)}:/usr/bin:/bin`;
    return new Promise((resolve) => {
      const env = { HOME: folder, KUBECONFIG: kubeconfig, PATH: path };
      execFile('kubectl', words, { env, cwd: folder, maxBuffer: 2 ** 26 }, (error, stdout, stderr) => {
        const code = error === null ? 0 : typeof error.code === 'number' ? error.code : 1;
        resolve({ code, stdout, stderr });
      });
    });
  };
  return { folder, kubectl: run, berth: (...words) => run(['berth', ...words]) };
}

/** Writes a kubeconfig for a service account into the file. */
export async function kubeconfigOf(cluster: Cluster, namespace: string, account: string, file: string): Promise<void> {
  const token = (await kubectl(cluster, ['create', 'token', account, '-n', namespace])).trim();
  const { clusters } = JSON.parse(readFileSync(cluster.kubeconfig, 'utf8')) as {
    readonly clusters: readonly { readonly name: string }[];
  };
  const contexts = [{ name: account, context: { cluster: clusters[0]?.name, user: account } }];
  const users = [{ name: account, user: { token } }];
  const config = { apiVersion: 'v1', kind: 'Config', 'current-context': account, clusters, contexts, users };
  writeFileSync(file, JSON.stringify(config), { mode: 0o600 });
}
