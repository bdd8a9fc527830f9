/** What goes on in a cluster while Berth is replaced under it: streams, packets, a writer with checksums, Jobs that come and go. */
import { text } from 'node:stream/consumers';
import type { Cluster } from '../../cluster/cluster.ts';
import { kubectl, listPods } from '../../scripts/kubectl.ts';
import type { Pod } from '../../scripts/kubectl.ts';
import { startCommand } from '../cluster/peers.ts';
import { claimManifest, podManifest } from '../cluster/scene.ts';
import { serve, streamTo } from '../faults/streams.ts';
import { watchGaps } from './devicegap.ts';
import { startWriter } from './fiowriter.ts';
import type { WriterReport } from './fiowriter.ts';
import { startStream } from './iperf.ts';
import type { StreamReport } from './iperf.ts';
import { startJobs } from './jobs.ts';
import type { JobTally } from './jobs.ts';

const namespace = 'default';

export interface LoadReport {
  /** Of a ping every 20 ms: what came before the last answer and got none. What was on its way at the end does not count. */
  readonly packets: { readonly sent: number; readonly lost: readonly number[]; readonly underWay: number };
  readonly stream: StreamReport;
  readonly disk: WriterReport;
  /** Jobs whose pods have a device, and such without. */
  readonly devices: JobTally;
  readonly plain: JobTally;
  /** Of each node, for how many milliseconds at a time it had no device plugin of Berth's. */
  readonly gaps: readonly (readonly number[])[];
}

export interface Load {
  /** Ends it; what happened meanwhile. Throws when a stream broke, or lost a byte. */
  end(): Promise<LoadReport>;
}

async function ready(cluster: Cluster, name: string): Promise<Pod> {
  await kubectl(cluster, ['wait', '--for=condition=Ready', 'pod', name, '--timeout=120s']);
  const found = (await listPods(cluster, namespace)).find(({ metadata }) => metadata.name === name);
  if (found === undefined) throw new Error(`there is no pod ${name}`);
  return found;
}

/** Between a pod on the first node and one on the last; the writer in the first. */
export async function startLoad(cluster: Cluster): Promise<Load> {
  const [near, far] = [cluster.nodes.at(0), cluster.nodes.at(-1)];
  if (near === undefined || far === undefined) throw new Error('the cluster has no nodes');
  const items = [
    claimManifest('written', 'berth-xfs', '512Mi'),
    podManifest('near', { node: near.name, claims: { '/data': 'written' }, limits: { 'berth.dev/fuse': 1 } }),
    podManifest('far', { node: far.name }),
  ];
  await kubectl(cluster, ['apply', '-f', '-'], { stdin: JSON.stringify({ apiVersion: 'v1', kind: 'List', items }) });
  const [from, to] = [
    { node: near, pod: await ready(cluster, 'near') },
    { node: far, pod: await ready(cluster, 'far') },
  ];
  const server = await serve(to);
  const exact = await streamTo(from, to, server);
  const stream = await startStream(from, to);
  const ping = startPing(cluster, to.pod.status.podIP ?? '');
  const writer = await startWriter(from.pod, '/data');
  const gaps = watchGaps(cluster.nodes);
  const devices = startJobs(cluster, 'device', { 'berth.dev/fuse': 1 });
  const plain = startJobs(cluster, 'plain', {});
  return {
    end: async () => {
      const tallies = await Promise.all([devices.end(), plain.end()]);
      // Throws when one byte is missing.
      await exact.finish();
      server.end();
      return {
        packets: await ping.end(),
        stream: await stream.end(),
        disk: await writer.end(),
        devices: tallies[0],
        plain: tallies[1],
        gaps: gaps.end(),
      };
    },
  };
}

/** From the pod `near`, as a program in it would. */
function startPing(cluster: Cluster, address: string): { end(): Promise<LoadReport['packets']> } {
  const inNear = ['--kubeconfig', cluster.kubeconfig, 'exec', 'near', '--'];
  const ping = startCommand(cluster.kubectlPath, [...inNear, 'ping', '-i', '0.02', '-w', '86400', address]);
  const said = text(ping.stdout);
  return {
    end: async () => {
      await kubectl(cluster, ['exec', 'near', '--', 'sh', '-c', 'kill -INT $(pidof ping)']);
      const lines = await said;
      const sent = Number(/(\d+) packets transmitted/.exec(lines)?.[1] ?? 0);
      const answered = new Set([...lines.matchAll(/ seq=(\d+) /g)].map(([, number]) => Number(number)));
      const until = [...answered].at(-1) ?? -1;
      const lost = Array.from({ length: until }, (_, number) => number).filter((number) => !answered.has(number));
      return { sent, lost, underWay: sent - 1 - until };
    },
  };
}
