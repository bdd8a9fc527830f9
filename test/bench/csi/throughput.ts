/**
 * How fast a pod's file in a volume is, milliseconds for the same amount: beside a file on the pool, and beside the same file in a loop
 * device that a person has made, which is what the kernel takes for its part.
 */
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Scene } from '../benchmark.ts';
import { sampleInTurn } from '../sampling.ts';
import type { Side } from '../sampling.ts';
import { figureOf } from '../stats.ts';
import type { Figure } from '../stats.ts';
import { xfs } from './driver.ts';
import { fio } from './fio.ts';
import type { Host } from './host.ts';
import { shell, shellDown, shellUp } from './life.ts';
import { Shell } from './shell.ts';

const bytes = 2 * 1024 ** 3;
const size = '1g';
const jobs = {
  'csi.randwrite': { rw: 'randwrite', bs: '4k', amount: '256m' },
  'csi.read': { rw: 'read', bs: '1m', amount: '2g' },
} as const;
/** At least 0.8 of the throughput. */
const limit = 1 / 0.8;
/** Berth is not on the way of a byte: the scatter of equal files. */
const madeByHandLimit = 1.1;

export async function* throughputFigures({ work, signal }: Scene, { driver }: Host): AsyncIterable<Figure> {
  const paths = await driver.pathsOf('throughput');
  const id = await driver.create('throughput', bytes, xfs);
  await driver.use({ id, ...paths }, xfs);
  const plain = join(work, 'plain');
  await mkdir(plain);
  const [typing, byHand] = [new Shell(), join(work, 'hand')];
  for (const folder of ['staging', 'target']) await mkdir(join(byHand, folder), { recursive: true });
  await typing.run(shellUp, byHand, String(bytes));
  const places = { ours: paths.target, plain, byHand: join(byHand, 'target') };
  for (const folder of Object.values(places)) await fio({ file: join(folder, 'file'), rw: 'write', bs: '1m', size });
  const sideOf =
    (folder: string): Side =>
    async () => {
      const timings: Record<string, number> = {};
      for (const [name, job] of Object.entries(jobs))
        timings[name] = await fio({ file: join(folder, 'file'), size, ...job });
      return timings;
    };
  for (const { suffix, folder, name, most } of [
    { suffix: '', folder: places.plain, name: 'fio on a file of the pool', most: limit },
    { suffix: '.byhand', folder: places.byHand, name: `fio on a volume made by ${shell}`, most: madeByHandLimit },
  ]) {
    const sides = { ours: sideOf(places.ours), peer: sideOf(folder) };
    const samples = await sampleInTurn(sides, { rounds: 9, withinMs: 90_000, signal, warmUp: 1 });
    for (const bench of Object.keys(jobs)) {
      const peer = { name, samples: samples.peer.get(bench) ?? [] };
      yield figureOf({ bench: `${bench}${suffix}`, ours: samples.ours.get(bench) ?? [], peer, limit: most });
    }
  }
  await driver.takeBack({ id, ...paths });
  await typing.run(shellDown, byHand);
  typing.end();
}
