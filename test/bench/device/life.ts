/** From the start of the process, and from a restart of the kubelet, to the list that the kubelet has; and the memory of it. */
import { join } from 'node:path';
import type { Scene } from '../benchmark.ts';
import { noPeer, sampleInTurn, timed } from '../sampling.ts';
import type { Side } from '../sampling.ts';
import { figureOf } from '../stats.ts';
import type { Figure, Quantity } from '../stats.ts';
import { makeNodes, ourSide, peerSide } from './sides.ts';
import type { DeviceSide } from './sides.ts';
import { callFigures } from './calls.ts';

const devices = 1_000;
const rounds = 12;

export async function* lifeFigures({ work, signal }: Scene): AsyncIterable<Figure | Quantity> {
  const offered = { name: 'port', devRoot: join(work, 'dev'), glob: 'port*' };
  await makeNodes(offered.devRoot, devices);
  const [ours, peer] = [await ourSide(work, offered), await peerSide(work, offered)];
  const sides = [ours, ...(peer === undefined ? [] : [peer.side])];
  const beside = async (bench: string, turn: (side: DeviceSide) => Side): Promise<Figure> => {
    const both = { ours: turn(ours), peer: peer === undefined ? noPeer : turn(peer.side) };
    const samples = await sampleInTurn(both, { rounds, withinMs: 90_000, signal, warmUp: 1 });
    const figure = { bench, ours: samples.ours.get('ms') ?? [] };
    return figureOf(
      peer === undefined ? figure : { ...figure, peer: { name: peer.name, samples: samples.peer.get('ms') ?? [] } },
    );
  };
  const programs = new Set<ReturnType<DeviceSide['start']>>();
  const begin = async (side: DeviceSide): Promise<ReturnType<DeviceSide['start']>> => {
    const program = side.start();
    programs.add(program);
    await program.alive(side.until(devices));
    return program;
  };
  try {
    yield await beside('device.start', (side) => async () => {
      let program: Awaited<ReturnType<typeof begin>> | undefined;
      const ms = await timed(async () => (program = await begin(side)));
      await program?.stop();
      await side.until(0);
      return { ms };
    });
    const running = new Map<DeviceSide, Awaited<ReturnType<typeof begin>>>();
    for (const side of sides) running.set(side, await begin(side));
    yield await beside('device.reregister', (side) => async () => {
      await side.kubelet.stop();
      return {
        ms: await timed(async () => {
          await side.kubelet.start();
          await side.until(devices);
        }),
      };
    });
    for (const side of sides) {
      const bench = `device.rss${side === ours ? '' : '.peer'}`;
      yield { bench, value: (await running.get(side)?.rss()) ?? 0, unit: `MiB with ${devices} devices` };
    }
    yield* callFigures(ours, signal);
  } finally {
    await Promise.all([...programs].map((program) => program.stop()));
    await Promise.all(sides.map(({ kubelet }) => kubelet.stop()));
  }
}
