/**
 * `pods`: from `kubectl apply` to Running for one pod and for fifty at once, with Berth's network and with the reference
 * plugins' in the same cluster. Most of it is Kubernetes and containerd, and the same for both: as information.
 */
import { copyFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Cluster } from '../../cluster/cluster.ts';
import { kubectl, listPods } from '../../scripts/kubectl.ts';
import { watchPodTimes } from '../../scripts/start/podtimes.ts';
import type { PodTimes } from '../../scripts/start/podtimes.ts';
import { busybox, prepareCluster, withCluster } from './benchcluster.ts';
import type { Benchmark, Scene } from './benchmark.ts';
import { cniPluginsFolder, cniPluginsVersion, ensureCniPlugins } from './peers.ts';
import { sampleInTurn } from './sampling.ts';
import type { Side } from './sampling.ts';
import { figureOf, percentile } from './stats.ts';
import type { Figure } from './stats.ts';

const many = 50;
const patienceMs = 120_000;
const peerRange = '10.93.';

const peerList = {
  cniVersion: '1.0.0',
  name: 'peer',
  plugins: [
    {
      type: 'ptp',
      ipMasq: true,
      ipam: { type: 'host-local', ranges: [[{ subnet: '10.93.0.0/16' }]], routes: [{ dst: '0.0.0.0/0' }] },
    },
    { type: 'portmap', capabilities: { portMappings: true } },
  ],
};

export const podsBenchmark: Benchmark = {
  name: 'pods',
  async prepare() {
    await ensureCniPlugins();
    await prepareCluster();
  },
  async *run({ work, signal }: Scene): AsyncIterable<Figure> {
    yield* withCluster(work, (cluster) => figures(cluster, signal));
  },
};

async function* figures(cluster: Cluster, signal: AbortSignal): AsyncIterable<Figure> {
  const [node] = cluster.nodes;
  if (node === undefined) return;
  const configuration = join(node.rootDir, 'etc/cni/net.d/00-peer.conflist');
  for (const plugin of ['ptp', 'host-local', 'portmap'])
    copyFileSync(join(cniPluginsFolder(), plugin), join(node.rootDir, 'opt/cni/bin', plugin));
  const zero = performance.now();
  const times = watchPodTimes(cluster);
  const sideOf = (count: number, peer: boolean): Side => {
    return async (round) => {
      if (peer) writeFileSync(configuration, JSON.stringify(peerList));
      // The runtime looks at its folder when something in it changes, and tells nobody when it has.
      await sleep(500);
      try {
        const prefix = `${peer ? 'peer' : 'ours'}-${count}-${round + 10}`;
        const measured = await waves(cluster, times, zero, { prefix, count, peer });
        return { each: percentile(measured, 50), last: Math.max(...measured) };
      } finally {
        rmSync(configuration, { force: true });
      }
    };
  };
  try {
    for (const [count, rounds] of [
      [1, 10],
      [many, 3],
    ] as const) {
      const sides = { ours: sideOf(count, false), peer: sideOf(count, true) };
      const samples = await sampleInTurn(sides, { rounds, withinMs: 240_000, signal, warmUp: 1 });
      yield figureOf({
        bench: `pods.running.${count}`,
        ours: samples.ours.get('last') ?? [],
        peer: { name: `ptp+host-local+portmap ${cniPluginsVersion}`, samples: samples.peer.get('last') ?? [] },
      });
    }
  } finally {
    times.stop();
  }
}

interface Wave {
  readonly prefix: string;
  readonly count: number;
  readonly peer: boolean;
}

/** Applies pods, and removes them; returns the milliseconds from before `apply` until each ran. */
async function waves(cluster: Cluster, times: PodTimes, zero: number, wave: Wave): Promise<readonly number[]> {
  const names = Array.from({ length: wave.count }, (_, at) => `${wave.prefix}-${at}`);
  const items = names.map((name) => ({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, namespace: 'default' },
    spec: {
      terminationGracePeriodSeconds: 0,
      automountServiceAccountToken: false,
      containers: [{ name: 'stay', image: busybox, command: ['sleep', '3600'] }],
    },
  }));
  const began = performance.now();
  await kubectl(cluster, ['apply', '-f', '-'], { stdin: JSON.stringify({ apiVersion: 'v1', kind: 'List', items }) });
  const running = (): readonly number[] =>
    names.flatMap((name) => {
      const at = times.runningAfter(`default/${name}`);
      return at === undefined ? [] : [zero + at - began];
    });
  while (running().length < wave.count) {
    if (performance.now() - began > patienceMs) throw new Error(`only ${running().length} of ${wave.count} pods run`);
    await sleep(20);
  }
  const strangers = (await listPods(cluster, 'default')).filter(
    ({ status }) => status.podIP?.startsWith(peerRange) !== wave.peer,
  );
  if (strangers.length > 0) throw new Error(`${strangers.length} pods got their network from the other side`);
  const measured = running();
  await kubectl(cluster, ['delete', 'pod', '-n', 'default', '--all', '--wait', '--timeout=120s']);
  return measured;
}
