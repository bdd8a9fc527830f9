/**
 * `cni`: ADD and DEL of one pod as a runtime does them, by executing the plugin, beside the reference plugins ptp and
 * host-local with the same environment and a standard input that asks for the same. The peer does
 * not masquerade, for which it would write rules for each pod; ours does, by one rule for all. Then the whole that most
 * clusters have, masquerading and host ports: cnifull.ts.
 */
import { execFileSync } from 'node:child_process';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { buildExecutable } from '../../scripts/executable.ts';
import type { Benchmark, Scene } from './benchmark.ts';
import { call } from './cnicaller.ts';
import type { ListedPlugin } from './cnicaller.ts';
import { fullFigures, mapping } from './cnifull.ts';
import { streamFigures } from './cnistream.ts';
import { cniPluginsFolder, cniPluginsVersion, ensureCniPlugins } from './peers.ts';
import { sampleInTurn } from './sampling.ts';
import type { Side } from './sampling.ts';
import { figureOf } from './stats.ts';
import type { Figure } from './stats.ts';
import { startSubject } from './subjectprocess.ts';

const addLimit = 0.8;
const podsInTurn = 2;
const folder = 'cni';
const durations = 'berth_cni_request_duration_seconds';
const socket = '/run/berth/cni.sock';

export const cniBenchmark: Benchmark = {
  name: folder,
  async prepare(work) {
    await ensureCniPlugins();
    await mkdir(join(work, folder));
    await buildExecutable(join(work, folder, 'berth'));
  },
  async *run({ work, signal }: Scene): AsyncIterable<Figure> {
    makeNode();
    const bin = join(work, 'bin');
    const network = { podCIDR: '10.88.0.0/22', cniBinDir: bin, cniConfDir: join(work, 'net.d') };
    const subject = await startSubject({ network, shimPath: join(work, 'berth') }, work, signal);
    const inService = (): Promise<ReadonlyMap<string, number>> => subject.sums(durations, 'op');

    const plain = [{ path: join(bin, 'berth'), config: { type: 'berth', socket } }];
    // No pod comes back: one after another has a namespace and an ID of its own, while the kernel still takes away the last.
    const podOf = (side: string, round: number): string => `${side}-plain${Math.abs(round) % podsInTurn}`;
    const oursPlain: Side = async (round) => {
      const berth = (command: string): number => call(command, plain, podOf('ours', round));
      const before = await inService();
      const times = { version: berth('VERSION'), add: berth('ADD'), del: berth('DEL') };
      const after = await inService();
      const share = (op: string): number => ((after.get(op) ?? 0) - (before.get(op) ?? 0)) * 1_000;
      return { ...times, 'add.agent': share('ADD'), 'del.agent': share('DEL') };
    };
    const ptpList = [{ path: join(cniPluginsFolder(), 'ptp'), config: ptpConfig }];
    const peer: Side = (round) => {
      const ptp = (command: string): number => call(command, ptpList, podOf('peer', round));
      return Promise.resolve({ version: ptp('VERSION'), add: ptp('ADD'), del: ptp('DEL') });
    };

    const samples = await sampleInTurn({ ours: oursPlain, peer }, { rounds: 200, withinMs: 45_000, signal });
    const figure = (bench: string, of: string, name?: string, limit?: number): Figure =>
      figureOf({
        bench,
        ours: samples.ours.get(of) ?? [],
        ...(name === undefined ? {} : { peer: { name, samples: samples.peer.get(of) ?? [] } }),
        ...(limit === undefined ? {} : { limit }),
      });
    const both = `ptp+host-local ${cniPluginsVersion}`;
    yield figure('cni.version', 'version', `ptp ${cniPluginsVersion}`);
    yield figure('cni.add.plain', 'add', both, addLimit);
    yield figure('cni.add.plain.agent', 'add.agent');
    yield figure('cni.del.plain', 'del', both);
    yield figure('cni.del.plain.agent', 'del.agent');
    const ours = (hostPort: number): readonly ListedPlugin[] =>
      plain.map(({ path, config }) => ({ path, config: { ...config, runtimeConfig: mapping(hostPort) } }));
    yield* fullFigures({ ours, plain }, signal);
    yield* streamFigures(plain, signal);
    await subject.stop();
  },
};

const ptpConfig = {
  type: 'ptp',
  ipam: {
    type: 'host-local',
    // On tmpfs, as ours: its fastest place.
    dataDir: '/run/host-local',
    ranges: [[{ subnet: '10.89.0.0/24' }]],
    routes: [{ dst: '0.0.0.0/0' }],
  },
};

/** The namespace we are in becomes a node: forwarding, and an uplink with the default route. */
function makeNode(): void {
  const commands = [
    'ip link add uplink type veth peer name world',
    'ip link set uplink up',
    'ip link set world up',
    'ip address add 10.99.0.1/24 dev uplink',
    'ip route add default via 10.99.0.2',
    ...['ours', 'peer'].flatMap((side) =>
      Array.from({ length: podsInTurn }, (_, at) => `ip netns add ${side}-plain${at}`),
    ),
  ];
  for (const command of commands) execFileSync('sh', ['-ec', command]);
}
