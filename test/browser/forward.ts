/** The way to an agent's page as a user has it: `berth page` in the pod for the address, `kubectl port-forward` for the way. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import type { Cluster } from '../../cluster/cluster.ts';
import { berthNamespace } from '../../scripts/deploy.ts';
import { inPod, listPods } from '../../scripts/kubectl.ts';

export interface ForwardedPage {
  /** With the key. */
  readonly url: string;
  end(): Promise<void>;
}

/** Opens the way to the page of a node. */
export async function forwardPage(cluster: Cluster, node: string): Promise<ForwardedPage> {
  const pod = (await listPods(cluster, berthNamespace)).find(({ spec }) => spec.nodeName === node);
  if (pod === undefined) throw new Error(`no agent on ${node}`);
  const { stdout, stderr, code } = await inPod(cluster, pod, ['berth', 'page'], 'berth');
  if (code !== 0) throw new Error(`berth page: ${stderr}`);
  const command = new RegExp(`kubectl (-n \\S+ port-forward ${pod.metadata.name} )(\\d+)`).exec(stderr);
  if (command === null) throw new Error(`berth page does not tell the way: ${stderr}`);
  // As it says, but for the port on this side, which may be taken here.
  const [, words = '', port = ''] = command;
  const forward = spawn(cluster.kubectlPath, [...words.trim().split(' '), `:${port}`], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const [line] = (await once(createInterface(forward.stdout), 'line')) as [string];
  const local = /^Forwarding from 127\.0\.0\.1:(\d+) /.exec(line)?.[1];
  if (local === undefined) throw new Error(`kubectl port-forward: ${line}`);
  return {
    url: stdout.trim().replace(`:${port}/`, `:${local}/`),
    end: async () => {
      const gone = once(forward, 'exit');
      forward.kill();
      await gone;
    },
  };
}
