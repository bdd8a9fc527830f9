/**
 * A pod with masquerading and one host port, alone and 16 at once, beside bridge, host-local and portmap; and what an ADD
 * costs with 500 pods attached. The peers' backend is the faster of theirs on this machine, found out first.
 */
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { call, callAsync } from './cnicaller.ts';
import type { ListedPlugin } from './cnicaller.ts';
import { cniPluginsFolder, cniPluginsVersion } from './peers.ts';
import { sampleInTurn } from './sampling.ts';
import type { Side } from './sampling.ts';
import { figureOf, percentile } from './stats.ts';
import type { Figure } from './stats.ts';

const limits = { add: 0.3, del: 0.2, parallel: 0.2, crowded: 1.3 };
const atOnce = 16;
const crowd = 500;

interface Sides {
  /** The list of ours for a pod with a host port. */
  readonly ours: (hostPort: number) => readonly ListedPlugin[];
  readonly plain: readonly ListedPlugin[];
}

type Backend = 'iptables' | 'nftables';

function peerList(backend: Backend): (hostPort: number) => readonly ListedPlugin[] {
  const program = (name: string): string => join(cniPluginsFolder(), name);
  const bridge = {
    type: 'bridge',
    bridge: 'bench0',
    isGateway: true,
    ipMasq: true,
    ipMasqBackend: backend,
    ipam: {
      type: 'host-local',
      // On tmpfs, as ours: its fastest place.
      dataDir: '/run/host-local-full',
      ranges: [[{ subnet: '10.90.0.0/22' }]],
      routes: [{ dst: '0.0.0.0/0' }],
    },
  };
  return (hostPort) => [
    { path: program('bridge'), config: bridge },
    {
      path: program('portmap'),
      config: { type: 'portmap', backend, runtimeConfig: mapping(hostPort) },
    },
  ];
}

/** What a runtime passes for one port. */
export function mapping(hostPort: number): object {
  return { portMappings: [{ hostPort, containerPort: 80, protocol: 'tcp' }] };
}

/** The figures, in namespaces of their own. */
export async function* fullFigures({ ours, plain }: Sides, signal: AbortSignal): AsyncIterable<Figure> {
  const pods = Array.from({ length: atOnce }, (_, at) => at);
  for (const at of pods) for (const side of ['ours', 'peer']) execFileSync('ip', ['netns', 'add', `${side}${at}`]);
  const backend = fastestBackend();
  const theirs = peerList(backend);
  const name = `bridge+host-local+portmap ${cniPluginsVersion} (${backend})`;

  const single = (list: (hostPort: number) => readonly ListedPlugin[], pod: string, port: number): Side => {
    return () => Promise.resolve({ add: call('ADD', list(port), pod), del: call('DEL', list(port), pod) });
  };
  const alone = await sampleInTurn(
    { ours: single(ours, 'ours0', 30_000), peer: single(theirs, 'peer0', 31_000) },
    { rounds: 100, withinMs: 60_000, signal },
  );
  for (const op of ['add', 'del'] as const)
    yield figureOf({
      bench: `cni.${op}.full`,
      ours: alone.ours.get(op) ?? [],
      peer: { name, samples: alone.peer.get(op) ?? [] },
      limit: limits[op],
    });

  const together = (list: (hostPort: number) => readonly ListedPlugin[], side: string, from: number): Side => {
    return async () => {
      const all = async (command: string): Promise<number> =>
        percentile(await Promise.all(pods.map((at) => callAsync(command, list(from + at), `${side}${at}`))), 50);
      return { add: await all('ADD'), del: await all('DEL') };
    };
  };
  const crowdedTogether = await sampleInTurn(
    { ours: together(ours, 'ours', 30_000), peer: together(theirs, 'peer', 31_000) },
    { rounds: 15, withinMs: 90_000, signal },
  );
  for (const op of ['add', 'del'] as const)
    yield figureOf({
      bench: `cni.${op}.full.${atOnce}`,
      ours: crowdedTogether.ours.get(op) ?? [],
      peer: { name, samples: crowdedTogether.peer.get(op) ?? [] },
      limit: limits.parallel,
    });

  yield await crowdedFigure(plain);
}

/** Some rounds of each backend: what is compared with is the peer's best. */
function fastestBackend(): Backend {
  const tried = (['iptables', 'nftables'] as const).map((backend) => {
    const list = peerList(backend)(31_000);
    const times = Array.from({ length: 6 }, () => call('ADD', list, 'peer0') + call('DEL', list, 'peer0'));
    return { backend, ms: percentile(times, 50) };
  });
  const [best] = tried.toSorted((a, b) => a.ms - b.ms);
  return best?.backend ?? 'nftables';
}

/** ADD with many pods attached, beside the same with none. */
async function crowdedFigure(plain: readonly ListedPlugin[]): Promise<Figure> {
  const sample = (): readonly number[] =>
    Array.from({ length: 60 }, () => {
      const ms = call('ADD', plain, 'ours0');
      call('DEL', plain, 'ours0');
      return ms;
    });
  const empty = sample();
  for (let at = 0; at < crowd; at += 10)
    await Promise.all(
      Array.from({ length: 10 }, async (_, offset) => {
        const pod = `crowd${at + offset}`;
        execFileSync('ip', ['netns', 'add', pod]);
        await callAsync('ADD', plain, pod);
      }),
    );
  return figureOf({
    bench: `cni.add.${crowd}`,
    ours: sample(),
    peer: { name: 'ours with no pods attached', samples: empty },
    limit: limits.crowded,
  });
}
