/** When each pod first ran, as the API server told it: conditions in the API have whole seconds only, a watch has more. */
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import type { Cluster } from '../../cluster/cluster.ts';

export interface PodTimes {
  /** Milliseconds from the start of the watch until the pod (`namespace/name`) was Running, or undefined. */
  runningAfter(pod: string): number | undefined;
  stop(): void;
}

const line = '{.metadata.namespace}/{.metadata.name} {.status.phase}{"\\n"}';

/** Follows all pods from now on. */
export function watchPodTimes(cluster: Cluster): PodTimes {
  const begin = performance.now();
  const seen = new Map<string, number>();
  const child = spawn(cluster.kubectlPath, ['get', 'pods', '-A', '--watch', '-o', `jsonpath=${line}`], {
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  createInterface(child.stdout).on('line', (text) => {
    const [pod, phase] = text.split(' ');
    if (pod === undefined || (phase !== 'Running' && phase !== 'Succeeded')) return;
    if (!seen.has(pod)) seen.set(pod, performance.now() - begin);
  });
  return {
    runningAfter: (pod) => seen.get(pod),
    stop: () => {
      child.kill();
    },
  };
}
