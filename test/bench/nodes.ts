/**
 * `nodes`: one agent in a cluster of 5,000 Nodes: how long until its routes are there, and what following them costs while
 * each says every five minutes that it lives. The Nodes are objects without computers; their API server is real.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Cluster } from '../../cluster/cluster.ts';
import { prepareCluster, withCluster } from './benchcluster.ts';
import type { Benchmark, Scene } from './benchmark.ts';
import { NodeObjects } from './nodeobjects.ts';
import { figureOf } from './stats.ts';
import type { Figure, Quantity } from './stats.ts';

const others = 4_999;
/** A kubelet sends its status every five minutes when nothing is new; its Lease, every ten seconds, concerns nobody here. */
const heartbeatEveryMs = 300_000;
const observedMs = 60_000;
const restarts = 3;
const patienceMs = 180_000;

type ClusterNode = Cluster['nodes'][number];

export const nodesBenchmark: Benchmark = {
  name: 'nodes',
  prepare: prepareCluster,
  async *run({ work, signal }: Scene): AsyncIterable<Figure | Quantity> {
    yield* withCluster(work, (cluster) => figures(cluster, signal));
  },
};

async function* figures(cluster: Cluster, signal: AbortSignal): AsyncIterable<Figure | Quantity> {
  const [node] = cluster.nodes;
  if (node === undefined) return;
  yield { bench: 'nodes.1.rss', value: (await usageOf(node)).rssMiB, unit: 'MiB' };
  // It would mark Nodes whose kubelets do not renew their Leases, each of them again and again.
  await node.kill('kube-controller-manager');
  const objects = await NodeObjects.open(cluster.kubeconfig);
  try {
    await objects.create(others, signal);
    yield figureOf({ bench: `nodes.${others + 1}.follow`, ours: [await untilProgrammed(node, signal)] });
    const starts: number[] = [];
    for (let round = 0; round < restarts; round += 1) starts.push(await startTime(node, signal));
    yield figureOf({ bench: `nodes.${others + 1}.start`, ours: starts });
    const before = await usageOf(node);
    const end = performance.now() + observedMs;
    for (let at = 0; performance.now() < end; at += 1) {
      const next = performance.now() + heartbeatEveryMs / others;
      await objects.heartbeat(at % others, signal);
      await sleep(Math.max(0, next - performance.now()), undefined, { signal });
    }
    const after = await usageOf(node);
    const perMinute = (value: number): number => Math.round((value * 60_000 * 100) / observedMs) / 100;
    const quantity = (name: string, value: number, unit: string): Quantity => ({
      bench: `nodes.${others + 1}.${name}`,
      value,
      unit,
    });
    yield quantity('cpu', perMinute(after.cpuMs - before.cpuMs), 'ms per minute');
    yield quantity('received', perMinute((after.receivedBytes - before.receivedBytes) / 1024), 'KiB per minute');
    yield quantity('rss', after.rssMiB, 'MiB');
  } finally {
    objects.close();
  }
}

/** Milliseconds until the node has a route to each other Node's pods of both families. */
async function untilProgrammed(node: ClusterNode, signal: AbortSignal): Promise<number> {
  const began = performance.now();
  // Two families for the near ones; for the far ones IPv6 goes through the tunnel, too.
  const wanted = 2 * others;
  for (;;) {
    const { stdout } = await node.exec([
      'sh',
      '-c',
      'ip -4 route show proto 98 | grep -c ^10.1; ip -6 route show proto 98 | grep -c ^fd01',
    ]);
    const found = stdout.split('\n').reduce((sum, line) => sum + Number(line), 0);
    if (found >= wanted) return performance.now() - began;
    if (performance.now() - began > patienceMs) throw new Error(`${found} of ${wanted} routes after ${patienceMs} ms`);
    await sleep(50, undefined, { signal });
  }
}

/** Milliseconds from the start of the agent's process, on a node without routes, until all are there. */
async function startTime(node: ClusterNode, signal: AbortSignal): Promise<number> {
  const before = await agentPid(node);
  await node.exec(['kill', '-9', before]);
  await node.exec(['sh', '-c', 'ip -4 route flush proto 98; ip -6 route flush proto 98']);
  const end = performance.now() + patienceMs;
  for (;;) {
    const now = await agentPid(node).catch(() => before);
    if (now !== before) return await untilProgrammed(node, signal);
    if (performance.now() > end) throw new Error('nobody has started the agent again');
    await sleep(20, undefined, { signal });
  }
}

interface Usage {
  readonly cpuMs: number;
  readonly rssMiB: number;
  /** On the connections that are open. */
  readonly receivedBytes: number;
}

/** What the agent's process has used so far. */
async function usageOf(node: ClusterNode): Promise<Usage> {
  const pid = await agentPid(node);
  const { stdout: stat } = await node.exec(['cat', `/proc/${pid}/stat`]);
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  const { stdout: status } = await node.exec(['cat', `/proc/${pid}/status`]);
  const { stdout: sockets } = await node.exec(['ss', '-tniOp']);
  const received = sockets
    .split('\n')
    .filter((line) => line.includes(`pid=${pid},`))
    .map((line) => Number(/bytes_received:(\d+)/.exec(line)?.[1] ?? 0));
  return {
    // User and system time in ticks of 10 ms (proc_pid_stat(5), USER_HZ).
    cpuMs: (Number(fields[11]) + Number(fields[12])) * 10,
    rssMiB: Math.round(Number(/VmRSS:\s+(\d+)/.exec(status)?.[1] ?? 0) / 1024),
    receivedBytes: received.reduce((sum, bytes) => sum + bytes, 0),
  };
}

async function agentPid(node: ClusterNode): Promise<string> {
  const { stdout } = await node.exec(['pgrep', '-f', '/opt/berth/berth.mjs run']);
  const [pid = ''] = stdout.split('\n');
  if (pid === '') throw new Error('no agent runs');
  return pid;
}
