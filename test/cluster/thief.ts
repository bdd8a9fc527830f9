/** Somebody who has stolen the token of the agent on one node, and has nothing else. */
import { once } from 'node:events';
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import type { IncomingMessage } from 'node:http';
import { request } from 'node:https';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import type { Cluster } from '../../cluster/cluster.ts';
import type { CommandOptions, CommandResult } from '../../cluster/command.ts';
import { berthNamespace } from '../../scripts/deploy.ts';
import { kubectl, listPods } from '../../scripts/kubectl.ts';

/** Whether it was done (0), and what was said. */
export type Answer = Pick<CommandResult, 'code' | 'stderr'>;

export interface Thief {
  kubectl(args: readonly string[], options?: CommandOptions): Promise<CommandResult>;
  /** `args` name an object. */
  patch(args: readonly string[], patch: object): Promise<Answer>;
  /** As the agent does it; kubectl would read the status first, which it may not. */
  patchNodeStatus(node: string, patch: object): Promise<Answer>;
  forget(): void;
}

interface Config {
  readonly clusters: readonly {
    readonly name: string;
    readonly cluster: { readonly server: string; readonly 'certificate-authority-data': string };
  }[];
}

export async function stealToken(cluster: Cluster, node: string): Promise<Thief> {
  const agents = await listPods(cluster, berthNamespace);
  const agent = agents.find(({ spec }) => spec.nodeName === node);
  if (agent === undefined) throw new Error(`${node} has no agent`);
  const { name, uid } = agent.metadata;
  const bound = ['--bound-object-kind=Pod', `--bound-object-name=${name}`, `--bound-object-uid=${uid}`];
  const token = (await kubectl(cluster, ['create', 'token', 'berth', '-n', berthNamespace, ...bound])).trim();
  const { clusters } = JSON.parse(readFileSync(cluster.kubeconfig, 'utf8')) as Config;
  const [first] = clusters;
  if (first === undefined) throw new Error(`${cluster.kubeconfig} names no cluster`);
  const { name: clusterName, cluster: access } = first;
  // Without the certificate of the administrator, whom the API server would believe first.
  const contexts = [{ name: 'thief', context: { cluster: clusterName, user: 'thief' } }];
  const users = [{ name: 'thief', user: { token } }];
  const config = { apiVersion: 'v1', kind: 'Config', 'current-context': 'thief', clusters, contexts, users };
  const file = join(cluster.kubeconfig, '../stolen');
  writeFileSync(file, JSON.stringify(config), { mode: 0o600 });
  const run: Thief['kubectl'] = (args, options) => cluster.kubectl(['--kubeconfig', file, ...args], options);
  return {
    kubectl: run,
    patch: (args, patch) => run(['patch', ...args, '--type=merge', '--patch', JSON.stringify(patch)]),
    async patchNodeStatus(of, patch) {
      const call = request(`${access.server}/api/v1/nodes/${of}/status`, {
        method: 'PATCH',
        ca: Buffer.from(access['certificate-authority-data'], 'base64'),
        headers: { authorization: `Bearer ${token}`, 'content-type': 'application/strategic-merge-patch+json' },
      });
      call.end(JSON.stringify(patch));
      const [response] = (await once(call, 'response')) as [IncomingMessage];
      const { message = '' } = JSON.parse(await text(response)) as { readonly message?: string };
      return { code: response.statusCode === 200 ? 0 : 1, stderr: message };
    },
    forget: () => {
      rmSync(file, { force: true });
    },
  };
}
