/** 50 xfs volumes, eight at a time as csi-provisioner and the kubelet come, beside the same made by a shell one by one. */
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Scene } from '../benchmark.ts';
import { sampleInTurn, timed } from '../sampling.ts';
import type { Side } from '../sampling.ts';
import type { Figure } from '../stats.ts';
import type { Host } from './host.ts';
import { shell, shellDown, shellUp, untilFreed, wayAndWhole } from './life.ts';
import { Shell } from './shell.ts';

const count = 50;
const atOnce = 8;
/** The least xfs can have is 300 MiB; all of them together need the disk's space twice in turn. */
const bytes = 320 * 1024 ** 2;
const limit = 0.5;

/** The same steps in one script: nobody types 50 volumes. */
const forAll = (script: string): string => `
  base="$1" size="$2"
  for i in $(seq ${count}); do
    set -- "$base/$i" "$size"
    ${script}
  done`;

export async function* parallelFigures({ work, signal }: Scene, host: Host): AsyncIterable<Figure> {
  const typing = new Shell();
  const sides = { ours: await overCsi(host), peer: await byShell(join(work, 'shells'), typing) };
  const samples = await sampleInTurn(sides, { rounds: 5, withinMs: 120_000, signal, warmUp: 1 });
  typing.end();
  yield* wayAndWhole('csi.parallel', samples, `${shell}, one by one`, limit);
}

async function overCsi({ driver, caller, pool }: Host): Promise<Side> {
  const paths = await Promise.all(Array.from({ length: count }, (_, i) => driver.pathsOf(`parallel-${i}`)));
  return async (round) => {
    const volumes = paths.map((each, i) => ({ name: `parallel-${round}-${i}`, ...each }));
    const { up, down } = await caller.live(volumes, bytes, atOnce);
    await untilFreed(pool);
    return { up, down, whole: up + down };
  };
}

async function byShell(folder: string, typing: Shell): Promise<Side> {
  for (let i = 1; i <= count; i++) {
    await mkdir(join(folder, String(i), 'staging'), { recursive: true });
    await mkdir(join(folder, String(i), 'target'));
  }
  return async () => {
    const up = await timed(() => typing.run(forAll(shellUp), folder, String(bytes)));
    const down = await timed(() => typing.run(forAll(shellDown), folder, String(bytes)));
    return { up, down, whole: up + down };
  };
}
