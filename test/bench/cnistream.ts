/**
 * One TCP stream from pod to pod of a node, ours beside ptp, in nodes of their own: a packet passes all tables of its node, so
 * neither may have the other's. Both masquerade what leaves the cluster, as nodes do, and so follow connections.
 */
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { call } from './cnicaller.ts';
import type { CallOptions, ListedPlugin } from './cnicaller.ts';
import { cniPluginsFolder, cniPluginsVersion } from './peers.ts';
import { sampleInTurn } from './sampling.ts';
import { figureOf } from './stats.ts';
import type { Figure } from './stats.ts';

/** At least 0.97 of the peer's throughput. */
const limit = 1 / 0.97;
const bytes = 512 * 1024 * 1024;
const end = join(import.meta.dirname, '../kernel/cni/peer.ts');

const ptp: ListedPlugin = {
  path: join(cniPluginsFolder(), 'ptp'),
  config: {
    type: 'ptp',
    ipMasq: true,
    ipam: {
      type: 'host-local',
      dataDir: '/run/host-local-stream',
      ranges: [[{ subnet: '10.92.0.0/24' }]],
      routes: [{ dst: '0.0.0.0/0' }],
    },
  },
};

/** The pods are attached first; the agent that attaches ours serves already, in this node. */
export async function* streamFigures(plain: readonly ListedPlugin[], signal: AbortSignal): AsyncIterable<Figure> {
  execFileSync('ip', ['netns', 'add', 'peernode']);
  const ours = await startStream(plain, 'stream', {}, signal);
  // The plugin runs in the namespace of the node it is to serve.
  const peer = await startStream([ptp], 'peerstream', { within: ['ip', 'netns', 'exec', 'peernode'] }, signal);
  const samples = await sampleInTurn({ ours, peer }, { rounds: 20, withinMs: 60_000, signal });
  yield figureOf({
    bench: 'cni.stream',
    ours: samples.ours.get('stream') ?? [],
    peer: { name: `ptp ${cniPluginsVersion}, ipMasq`, samples: samples.peer.get('stream') ?? [] },
    limit,
  });
}

/** Two pods with a sink in one; what is returned times 512 MiB from the other to it. */
async function startStream(
  list: readonly ListedPlugin[],
  name: string,
  options: CallOptions,
  signal: AbortSignal,
): Promise<() => Promise<{ readonly stream: number }>> {
  const [from, to] = [`${name}-from`, `${name}-to`];
  for (const pod of [from, to]) {
    execFileSync('ip', ['netns', 'add', pod]);
    call('ADD', list, pod, options);
  }
  const shown = execFileSync('ip', ['-n', to, '-o', '-4', 'address', 'show', 'dev', 'eth0'], { encoding: 'utf8' });
  const address = /inet ([\d.]+)/.exec(shown)?.[1] ?? '';
  const inPod = (pod: string, ...args: readonly string[]): readonly string[] => [
    'netns',
    'exec',
    pod,
    process.execPath,
    end,
    ...args,
  ];
  const sink = spawn('ip', inPod(to, 'sink'), { stdio: ['ignore', 'pipe', 'inherit'], signal });
  sink.on('error', () => undefined);
  await once(sink.stdout, 'data', { signal });
  return () => {
    const printed = execFileSync('ip', inPod(from, 'push', address, '7700', String(bytes)), { encoding: 'utf8' });
    return Promise.resolve({ stream: Number(printed) });
  };
}
