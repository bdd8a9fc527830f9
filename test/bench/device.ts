/** `device`: Allocate over the plugin's socket with 1,000 devices advertised, called as the kubelet does. No peer. */
import { execFileSync } from 'node:child_process';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { createLogger } from '../../kit/log.ts';
import { FakeKubelet } from '../kubelet/fakekubelet.ts';
import type { Benchmark, Scene } from './benchmark.ts';
import { noPeer, sampleInTurn, timed } from './sampling.ts';
import { figureOf } from './stats.ts';
import type { Figure } from './stats.ts';
import { startSubject } from './subjectprocess.ts';

const devices = 1_000;
const resource = 'bench.berth.dev/port';

export const deviceBenchmark: Benchmark = {
  name: 'device',
  prepare: () => Promise.resolve(),
  async *run({ work, signal }: Scene): AsyncIterable<Figure> {
    const devRoot = join(work, 'dev');
    await mkdir(devRoot);
    // A major number no driver has: the nodes are never opened.
    const script = `i=0; while [ $i -lt ${devices} ]; do mknod ${devRoot}/port$i c 240 $i; i=$((i + 1)); done`;
    execFileSync('sh', ['-ec', script]);
    const kubeletRoot = join(work, 'kubelet');
    const kubelet = new FakeKubelet(kubeletRoot, createLogger('error'));
    await kubelet.start();
    const config = { devRoot, resources: [{ name: resource, paths: ['/dev/port*'] }] };
    const subject = await startSubject({ devices: config, kubeletRoot, stateDir: join(work, 'state') }, work, signal);
    const idsOf = (): string[] => Object.keys(kubelet.resources.get(resource)?.health ?? {});
    await kubelet.until(() => idsOf().length === devices);
    const ids = idsOf();
    const ours = async (round: number): Promise<{ allocate: number }> => {
      const id = ids.at(round) ?? '';
      return { allocate: await timed(() => kubelet.allocate(resource, [id])) };
    };
    const samples = await sampleInTurn({ ours, peer: noPeer }, { rounds: devices, withinMs: 20_000, signal });
    yield figureOf({ bench: 'device.allocate', ours: samples.ours.get('allocate') ?? [] });
    await subject.stop();
    await kubelet.stop();
  },
};
