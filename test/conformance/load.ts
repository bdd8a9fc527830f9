/** What goes on in a cluster while Berth is replaced under it: streams, packets, a writer with checksums, pods that come and go. */
import { spawn } from 'node:child_process';
import { text } from 'node:stream/consumers';
import type { Cluster } from '../../cluster/cluster.ts';
import { kubectl, listPods } from '../../scripts/kubectl.ts';
import type { Pod } from '../../scripts/kubectl.ts';
import { claimManifest, eventually, podManifest } from '../cluster/scene.ts';
import { serve, streamTo } from '../faults/streams.ts';

const namespace = 'default';

/** Writes a file of 4 MiB again and again, each with its checksum, and reads it back; a line for each that is right, BAD for one that is not. */
const writer = `cd /data; n=0; trap 'exit 0' TERM
while true; do
  n=$((n+1)); f=f$((n%8))
  (echo $n; head -c 4194304 /dev/urandom) > $f && sync && md5sum $f > $f.sum
  if md5sum -c -s $f.sum; then echo $n > count; else echo BAD $n >> bad; fi
done`;

export interface Load {
  /** Ends it; what happened meanwhile. Throws when a stream broke, or lost a byte. */
  end(): Promise<{
    readonly packets: { readonly sent: number; readonly lost: number };
    readonly written: { readonly right: number; readonly bad: string };
    readonly pods: { readonly made: number; readonly failed: readonly string[] };
  }>;
}

async function apply(cluster: Cluster, ...items: readonly object[]): Promise<void> {
  await kubectl(cluster, ['apply', '-f', '-'], { stdin: JSON.stringify({ apiVersion: 'v1', kind: 'List', items }) });
}

async function ready(cluster: Cluster, name: string): Promise<Pod> {
  await kubectl(cluster, ['wait', '--for=condition=Ready', 'pod', name, '--timeout=120s']);
  const found = (await listPods(cluster, namespace)).find(({ metadata }) => metadata.name === name);
  if (found === undefined) throw new Error(`there is no pod ${name}`);
  return found;
}

/** Between a pod on the first node and one on the last; the writer beside the first. */
export async function startLoad(cluster: Cluster): Promise<Load> {
  const [near, far] = [cluster.nodes.at(0), cluster.nodes.at(-1)];
  if (near === undefined || far === undefined) throw new Error('the cluster has no nodes');
  const command = ['sh', '-c', writer];
  await apply(
    cluster,
    claimManifest('written', 'berth-xfs', '512Mi'),
    podManifest('near', { node: near.name, claims: { '/data': 'written' }, command, limits: { 'berth.dev/fuse': 1 } }),
    podManifest('far', { node: far.name }),
  );
  const [nearPod, farPod] = [await ready(cluster, 'near'), await ready(cluster, 'far')];
  const ends = [
    { node: near, pod: nearPod },
    { node: far, pod: farPod },
  ] as const;
  const server = await serve(ends[1]);
  const stream = await streamTo(ends[0], ends[1], server);
  const ping = spawn(
    cluster.kubectlPath,
    [
      '--kubeconfig',
      cluster.kubeconfig,
      'exec',
      'near',
      '--',
      'ping',
      '-i',
      '0.02',
      '-w',
      '3600',
      '-q',
      farPod.status.podIP ?? '',
    ],
    { stdio: ['ignore', 'pipe', 'inherit'] },
  );
  const pinged = text(ping.stdout);
  const ending = new AbortController();
  const failed: string[] = [];
  let made = 0;
  const creating = (async () => {
    while (!ending.signal.aborted) {
      const name = `short-${++made}`;
      const manifest = podManifest(name, { command: ['true'], limits: { 'berth.dev/fuse': 1 } });
      await apply(cluster, { ...manifest, spec: { ...manifest.spec, restartPolicy: 'Never' } });
      const end = await eventually(`${name} to end`, 120, async () => {
        const phase = await kubectl(cluster, ['get', 'pod', name, '-o', 'jsonpath={.status.phase} {.status.reason}']);
        return /^(Succeeded|Failed)/.test(phase) ? phase.trim() : undefined;
      }).catch((error: unknown) => String(error));
      if (end !== 'Succeeded') failed.push(`${name}: ${end}`);
      await kubectl(cluster, ['delete', 'pod', name, '--wait=false']);
    }
  })();
  const inNear = (script: string): Promise<string> => kubectl(cluster, ['exec', 'near', '--', 'sh', '-c', script]);
  return {
    end: async () => {
      ending.abort();
      await creating;
      // Throws when one byte is missing.
      await stream.finish();
      server.end();
      await inNear('kill -INT $(pidof ping)');
      const [, sent = '0', got = '0'] = /(\d+) packets transmitted, (\d+) packets received/.exec(await pinged) ?? [];
      const [right = '0', bad = ''] = (await inNear('cat /data/count; cat /data/bad 2>/dev/null || true')).split('\n');
      return {
        packets: { sent: Number(sent), lost: Number(sent) - Number(got) },
        written: { right: Number(right), bad },
        pods: { made, failed },
      };
    },
  };
}
