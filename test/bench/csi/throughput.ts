/** How fast a pod's file in a volume is, beside a file on the pool: milliseconds for the same amount. */
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

const bytes = 2 * 1024 ** 3;
const size = '1g';
const jobs = {
  'csi.randwrite': { rw: 'randwrite', bs: '4k', amount: '256m' },
  'csi.read': { rw: 'read', bs: '1m', amount: '2g' },
} as const;
/** At least 0.8 of the throughput. */
const limit = 1 / 0.8;

export async function* throughputFigures({ work, signal }: Scene, { driver }: Host): AsyncIterable<Figure> {
  const paths = await driver.pathsOf('throughput');
  const id = await driver.create('throughput', bytes, xfs);
  await driver.use({ id, ...paths }, xfs);
  const folder = join(work, 'plain');
  await mkdir(folder);
  const files = { ours: join(paths.target, 'file'), peer: join(folder, 'file') };
  for (const file of Object.values(files)) await fio({ file, rw: 'write', bs: '1m', size });
  const sideOf =
    (file: string): Side =>
    async () => {
      const timings: Record<string, number> = {};
      for (const [name, job] of Object.entries(jobs)) timings[name] = await fio({ file, size, ...job });
      return timings;
    };
  const sides = { ours: sideOf(files.ours), peer: sideOf(files.peer) };
  const samples = await sampleInTurn(sides, { rounds: 9, withinMs: 90_000, signal, warmUp: 1 });
  for (const bench of Object.keys(jobs)) {
    const peer = { name: 'fio on a file of the pool', samples: samples.peer.get(bench) ?? [] };
    yield figureOf({ bench, ours: samples.ours.get(bench) ?? [], peer, limit });
  }
  await driver.takeBack({ id, ...paths });
}
