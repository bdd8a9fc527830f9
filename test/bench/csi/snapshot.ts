/** A snapshot of a 1 GiB volume that a pod is writing to, beside a sparse copy of its image by cp. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Scene } from '../benchmark.ts';
import { sampleInTurn, timed } from '../sampling.ts';
import { figureOf } from '../stats.ts';
import type { Figure } from '../stats.ts';
import { xfs } from './driver.ts';
import { fio } from './fio.ts';
import type { Host } from './host.ts';
import { untilFreed } from './life.ts';
import { Shell } from './shell.ts';

const bytes = 1024 ** 3;
const limit = 0.1;
/**
 * Pods write past the page cache, so nothing of a live image is in it; what the copy before has left there goes first. For
 * nothing is copied: only the advice is given.
 */
const forgetting = 'dd if=/dev/null of="$1/$2" oflag=nocache conv=notrunc,fdatasync status=none';
const copying = 'cp --reflink=never --sparse=always "$1/$2" "$1/copy" && sync "$1/copy"';

/** `host` has a pool whose filesystem shares bytes. */
export async function* snapshotFigure({ signal }: Scene, { driver, pool }: Host): AsyncIterable<Figure> {
  const paths = await driver.pathsOf('snapshot');
  const id = await driver.create('snapshot', bytes, xfs);
  await driver.use({ id, ...paths }, xfs);
  const file = join(paths.target, 'data');
  await fio({ file, rw: 'write', bs: '1m', size: '768m' });
  const writer = spawn('fio', [
    ...['--name=pod', `--filename=${file}`, '--rw=randwrite', '--bs=4k', '--size=768m', '--direct=1', '--rate=4m'],
    ...['--time_based', '--runtime=3600', '--output-format=terse'],
  ]);
  const typing = new Shell();
  const images = join(pool, 'images');
  const [image = ''] = await readdir(images);
  const ours = async (round: number): Promise<{ ms: number }> => {
    let made = '';
    const ms = await timed(async () => {
      const { snapshot } = await driver.controller.CreateSnapshot({ name: `s-${round}`, source_volume_id: id });
      made = snapshot?.snapshot_id ?? '';
    });
    await driver.controller.DeleteSnapshot({ snapshot_id: made });
    await untilFreed(pool);
    return { ms };
  };
  const peer = async (): Promise<{ ms: number }> => {
    await typing.run(forgetting, images, image);
    const ms = await timed(() => typing.run(copying, images, image));
    await typing.run('rm "$1/copy"', images);
    return { ms };
  };
  try {
    const samples = await sampleInTurn({ ours, peer }, { rounds: 15, withinMs: 60_000, signal, warmUp: 1 });
    const beside = { name: 'cp --sparse=always --reflink=never, sync', samples: samples.peer.get('ms') ?? [] };
    yield figureOf({ bench: 'csi.snapshot', ours: samples.ours.get('ms') ?? [], peer: beside, limit });
  } finally {
    typing.end();
    writer.kill('SIGTERM');
    await once(writer, 'exit');
    await driver.takeBack({ id, ...paths });
  }
}
