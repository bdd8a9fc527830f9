/**
 * `footprint`: what the agent of a node costs while nothing happens and while pods come and go, in one process and in three;
 * how often it writes to the API server then; and what 5,000 BerthNodes cost that server.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Cluster } from '../../cluster/cluster.ts';
import { auditLog } from '../../cluster/controlplane.ts';
import { renderPlain } from '../../scripts/chart/manifests.ts';
import { berthNamespace, waitForAgents } from '../../scripts/deploy.ts';
import { kubectl } from '../../scripts/kubectl.ts';
import { BerthNodeObjects } from './berthnodeobjects.ts';
import { busybox, prepareCluster, withCluster } from './benchcluster.ts';
import type { Benchmark, Scene } from './benchmark.ts';
import type { Figure, Quantity } from './stats.ts';

const observedMs = 90_000;
/** Until it has started, looked everywhere once, and told the cluster. */
const settledMs = 150_000;
const pods = 20;
const berthNodes = 5_000;

export const footprintBenchmark: Benchmark = {
  name: 'footprint',
  prepare: prepareCluster,
  async *run({ work, signal }: Scene): AsyncIterable<Figure | Quantity> {
    yield* withCluster(work, (cluster) => figures(cluster, signal));
  },
};

async function* figures(cluster: Cluster, signal: AbortSignal): AsyncIterable<Quantity> {
  for (const containers of ['single', 'split']) {
    if (containers === 'split') await divide(cluster);
    await sleep(settledMs, undefined, { signal });
    const quantity = (name: string, value: number, unit: string): Quantity => ({
      bench: `footprint.${containers}.${name}`,
      value: Math.round(value * 10) / 10,
      unit,
    });
    const idle = await used(cluster, async () => {
      await sleep(observedMs, undefined, { signal });
    });
    yield quantity('idle.rss', idle.rssMiB, 'MiB');
    yield quantity('idle.cpu', idle.cpuMsPerMinute, 'ms per minute');
    yield quantity('idle.writes', idle.writesPerHour, 'per hour, sidecars and their leases left out');
    const busy = await used(cluster, () => comeAndGo(cluster));
    yield quantity('busy.rss', busy.rssMiB, 'MiB');
    yield quantity('busy.cpu', busy.cpuMsPerMinute, 'ms per minute');
  }
  yield* manyBerthNodes(cluster, signal);
}

/** The same in three containers. */
async function divide(cluster: Cluster): Promise<void> {
  const values = { containers: 'split', namespace: { create: true } };
  await kubectl(cluster, ['apply', '-f', '-'], {
    stdin: await renderPlain({ values, templates: ['configmap.yaml', 'daemonset.yaml'] }),
  });
  await kubectl(cluster, ['rollout', 'status', '-n', berthNamespace, 'ds/berth', '--timeout=180s']);
  await waitForAgents(cluster);
}

/** Pods with network and a device, twenty of them, up and away again. */
async function comeAndGo(cluster: Cluster): Promise<void> {
  const resources = { limits: { 'berth.dev/kvm': 1 } };
  const main = { name: 'main', image: busybox, command: ['sleep', '3600'], resources };
  const spec = { terminationGracePeriodSeconds: 0, containers: [main] };
  const template = { metadata: { labels: { app: 'busy' } }, spec };
  const deployment = {
    ...{ apiVersion: 'apps/v1', kind: 'Deployment', metadata: { name: 'busy' } },
    spec: { replicas: Math.min(pods, 10), selector: { matchLabels: { app: 'busy' } }, template },
  };
  for (let round = 0; round < 2; round++) {
    await kubectl(cluster, ['apply', '-f', '-'], { stdin: JSON.stringify(deployment) });
    await kubectl(cluster, ['rollout', 'status', 'deployment', 'busy', '--timeout=180s']);
    await kubectl(cluster, ['delete', 'deployment', 'busy', '--cascade=foreground', '--wait', '--timeout=120s']);
  }
}

interface Used {
  readonly rssMiB: number;
  readonly cpuMsPerMinute: number;
  readonly writesPerHour: number;
}

async function used(cluster: Cluster, work: () => Promise<void>): Promise<Used> {
  const [before, wroteBefore, began] = [await processes(cluster), await writes(cluster), performance.now()];
  await work();
  const [after, wroteAfter, ms] = [await processes(cluster), await writes(cluster), performance.now() - began];
  return {
    rssMiB: after.rssMiB,
    cpuMsPerMinute: ((after.cpuMs - before.cpuMs) * 60_000) / ms,
    writesPerHour: ((wroteAfter - wroteBefore) * 3_600_000) / ms,
  };
}

function first({ nodes }: Cluster): Cluster['nodes'][number] {
  const [node] = nodes;
  if (node === undefined) throw new Error('the cluster has no node');
  return node;
}

/** Of all processes of the agent together. */
async function processes(cluster: Cluster): Promise<{ readonly rssMiB: number; readonly cpuMs: number }> {
  const script = `for pid in $(pgrep -f '/opt/berth/berth.mjs run'); do
    grep VmRSS /proc/$pid/status; cut -d')' -f2- /proc/$pid/stat | cut -d' ' -f13,14; done`;
  const { stdout } = await first(cluster).exec(['sh', '-c', script]);
  let [kib, ticks] = [0, 0];
  for (const line of stdout.trim().split('\n')) {
    const rss = /VmRSS:\s+(\d+)/.exec(line)?.[1];
    if (rss !== undefined) kib += Number(rss);
    // User and system time in ticks of 10 ms (proc_pid_stat(5), USER_HZ).
    else ticks += line.split(' ').reduce((sum, each) => sum + Number(each), 0);
  }
  return { rssMiB: kib / 1024, cpuMs: ticks * 10 };
}

/** How often the agent itself has written so far. */
async function writes(cluster: Cluster): Promise<number> {
  const { stdout } = await first(cluster).exec(['cat', auditLog]);
  return stdout
    .split('\n')
    .filter((line) => /"userAgent":"berth/.test(line) && /"verb":"(create|update|patch|delete)"/.test(line)).length;
}

async function* manyBerthNodes(cluster: Cluster, signal: AbortSignal): AsyncIterable<Quantity> {
  const serverMiB = async (): Promise<number> => {
    const { stdout } = await first(cluster).exec(['sh', '-c', 'grep VmRSS /proc/$(pgrep -o kube-apiserver)/status']);
    return Math.round(Number(/(\d+) kB/.exec(stdout)?.[1] ?? 0) / 1024);
  };
  const before = await serverMiB();
  const objects = await BerthNodeObjects.open(cluster, signal);
  yield { bench: 'footprint.berthnode', value: objects.bytes, unit: 'bytes of JSON' };
  const began = performance.now();
  await objects.create(berthNodes);
  const name = `footprint.berthnodes.${berthNodes}`;
  yield { bench: `${name}.written`, value: Math.round(performance.now() - began), unit: 'ms, two writes each' };
  yield { bench: `${name}.apiserver`, value: (await serverMiB()) - before, unit: 'MiB more' };
  const listed = performance.now();
  await kubectl(cluster, ['get', 'berthnodes', '-o', 'name']);
  yield { bench: `${name}.listed`, value: Math.round(performance.now() - listed), unit: 'ms' };
}
