/** Jobs made one after another, each with a pod that ends at once: how many, and which of them or of their pods failed. */
import type { Cluster } from '../../cluster/cluster.ts';
import { kubectl, listPods } from '../../scripts/kubectl.ts';
import type { Pod } from '../../scripts/kubectl.ts';
import { podManifest } from '../cluster/scene.ts';

const namespace = 'default';
const label = 'test.berth.dev/loop';

export interface JobTally {
  readonly made: number;
  /** Pods that the kubelet refused because their node had lost its agent a moment before. Their Jobs made others. */
  readonly refused: number;
  /** Jobs that are not complete, and pods that failed for any other reason, a sentence each. */
  readonly failed: readonly string[];
}

/**
 * What the kubelet says of a pod that reaches it between the end of one agent and the registration of the next: it takes the
 * devices of a plugin for unhealthy at once, and tells the scheduler with its next look at the node, up to 10 s later.
 */
const refusal = /^Pod was rejected: .*no healthy devices present; cannot allocate unhealthy devices berth\.dev\//;

const isRefused = ({ status }: Pod): boolean =>
  status.reason === 'UnexpectedAdmissionError' && refusal.test(status.message ?? '');

/** Makes them until `end`, each when the one before is complete. */
export function startJobs(
  cluster: Cluster,
  name: string,
  limits: Readonly<Record<string, number>>,
): { end(): Promise<JobTally> } {
  const ending = new AbortController();
  const late: string[] = [];
  let made = 0;
  const making = (async () => {
    while (!ending.signal.aborted) {
      const job = `${name}-${++made}`;
      await kubectl(cluster, ['create', '-f', '-'], { stdin: JSON.stringify(jobManifest(job, name, limits)) });
      const wait = ['wait', '--for=condition=Complete', `job/${job}`, '--timeout=120s'];
      await kubectl(cluster, wait).catch((error: unknown) => late.push(`${job}: ${String(error)}`));
    }
  })();
  return {
    end: async () => {
      ending.abort();
      await making;
      const pods = (await listPods(cluster, namespace)).filter(({ metadata }) => metadata.labels?.[label] === name);
      const refused = pods.filter(isRefused);
      const failed = pods.filter((pod) => pod.status.phase === 'Failed' && !refused.includes(pod));
      const why = failed.map(
        ({ metadata, status }) => `${metadata.name}: ${status.reason ?? ''} ${status.message ?? ''}`,
      );
      await kubectl(cluster, ['delete', 'jobs', '-l', `${label}=${name}`, '--wait']);
      return { made, refused: refused.length, failed: [...late, ...why] };
    },
  };
}

function jobManifest(job: string, loop: string, limits: Readonly<Record<string, number>>): object {
  const { spec } = podManifest(job, { command: ['true'], limits });
  const labels = { [label]: loop };
  // A refused pod counts against the limit, as no podFailurePolicy can name it: it has neither an exit code nor a condition.
  const template = { metadata: { labels }, spec: { ...spec, restartPolicy: 'Never' } };
  return {
    apiVersion: 'batch/v1',
    kind: 'Job',
    metadata: { name: job, labels },
    spec: { backoffLimit: 6, template },
  };
}
