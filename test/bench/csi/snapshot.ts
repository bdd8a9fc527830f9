/**
 * Snapshots of a 1 GiB volume that a pod is writing to, beside a sparse copy of its image by cp: of an image as it was written once, and
 * of one that earlier snapshots have scattered. Sharing takes XFS some 20 µs for each run of bytes, copying the same for all.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Scene } from '../benchmark.ts';
import { sampleInTurn, timed } from '../sampling.ts';
import type { Side } from '../sampling.ts';
import { figureOf } from '../stats.ts';
import type { Figure } from '../stats.ts';
import { xfs } from './driver.ts';
import { fio } from './fio.ts';
import type { Host } from './host.ts';
import { untilFreed } from './life.ts';
import { Shell } from './shell.ts';

const bytes = 1024 ** 3;
const size = '768m';
const limit = 0.1;
/** 4 KiB each, somewhere in the file: about twice as many runs. */
const scattered = '4m';
/** Long enough for the pod to be writing. */
const settlingMs = 200;
/**
 * Pods write past the page cache, so nothing of a live image is in it; what the copy before has left there goes first. For
 * nothing is copied: only the advice is given.
 */
const forgetting = 'dd if=/dev/null of="$1/$2" oflag=nocache conv=notrunc,fdatasync status=none';
const copying = 'cp --reflink=never --sparse=always "$1/$2" "$1/copy" && sync "$1/copy"';
/** Until the space is free: it must not slow the other side down. */
const removing = 'rm "$1/copy" && sync --file-system "$1"';
const peerName = 'cp --sparse=always --reflink=never, sync';

interface Live {
  /** Its image's name in the pool. */
  readonly image: string;
  readonly id: string;
  end(): Promise<void>;
}

/** `host` has a pool whose filesystem shares bytes. */
export async function* snapshotFigures({ signal }: Scene, host: Host): AsyncIterable<Figure> {
  const typing = new Shell();
  try {
    for (const [bench, isScattered] of [
      ['csi.snapshot', false],
      ['csi.snapshot.scattered', true],
    ] as const) {
      const sides = { ours: ofSnapshots(host, isScattered), peer: ofCopies(host, isScattered, typing) };
      const samples = await sampleInTurn(sides, { rounds: 9, withinMs: 60_000, signal, warmUp: 1 });
      const peer = { name: peerName, samples: samples.peer.get('ms') ?? [] };
      yield figureOf({ bench, ours: samples.ours.get('ms') ?? [], peer, ...(isScattered ? {} : { limit }) });
    }
  } finally {
    typing.end();
  }
}

function ofSnapshots(host: Host, isScattered: boolean): Side {
  return async (round) => {
    const volume = await startLive(host, isScattered);
    let ms = 0;
    const made = await snapshotOf(host, volume.id, `s-${round}`, (taken) => (ms = taken));
    await host.driver.controller.DeleteSnapshot({ snapshot_id: made });
    await volume.end();
    return { ms };
  };
}

function ofCopies(host: Host, isScattered: boolean, typing: Shell): Side {
  const images = join(host.pool, 'images');
  return async () => {
    const volume = await startLive(host, isScattered);
    let ms = 0;
    // The second counts: where the disk is a file of another machine, that one has what was read and written before in its memory.
    for (const count of [1, 2]) {
      await typing.run(forgetting, images, volume.image);
      const took = await timed(() => typing.run(copying, images, volume.image));
      if (count === 2) ms = took;
      await typing.run(removing, images);
    }
    await volume.end();
    return { ms };
  };
}

async function snapshotOf(
  { driver }: Host,
  id: string,
  name: string,
  took: (ms: number) => void = () => undefined,
): Promise<string> {
  let made = '';
  took(
    await timed(async () => {
      const { snapshot } = await driver.controller.CreateSnapshot({ name, source_volume_id: id });
      made = snapshot?.snapshot_id ?? '';
    }),
  );
  return made;
}

/** A new volume, and a pod that writes to it. */
async function startLive(host: Host, isScattered: boolean): Promise<Live> {
  const { driver, pool } = host;
  const paths = await driver.pathsOf('snapshot');
  const id = await driver.create('snapshot', bytes, xfs);
  await driver.use({ id, ...paths }, xfs);
  const file = join(paths.target, 'data');
  await fio({ file, rw: 'write', bs: '1m', size });
  if (isScattered) {
    const earlier = await snapshotOf(host, id, 'earlier');
    await fio({ file, rw: 'randwrite', bs: '4k', size, amount: scattered });
    await driver.controller.DeleteSnapshot({ snapshot_id: earlier });
    await untilFreed(pool);
  }
  const writer = spawn('fio', [
    ...['--name=pod', `--filename=${file}`, '--rw=randwrite', '--bs=4k', `--size=${size}`, '--direct=1', '--rate=4m'],
    ...['--time_based', '--runtime=3600', '--output-format=terse'],
  ]);
  await sleep(settlingMs);
  const [image = ''] = await readdir(join(pool, 'images'));
  return {
    image,
    id,
    end: async () => {
      writer.kill('SIGTERM');
      await once(writer, 'exit');
      await driver.takeBack({ id, ...paths });
      await untilFreed(pool);
    },
  };
}
