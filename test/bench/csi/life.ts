/** A 1 GiB xfs volume, from its creation to a pod's folder and back, beside the same steps by shell tools. */
import { mkdir, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Scene } from '../benchmark.ts';
import { sampleInTurn, timed } from '../sampling.ts';
import type { Samples, Side } from '../sampling.ts';
import { figureOf } from '../stats.ts';
import type { Figure } from '../stats.ts';
import type { Host } from './host.ts';
import { Shell } from './shell.ts';

const bytes = 1024 ** 3;
const limit = 0.8;

/**
 * What a person types for the same result: all space allocated and kept from being trimmed, 4 KiB sectors, direct I/O, file and name
 * durable before it is used, and its end durable too.
 */
export const shellUp = `
  fallocate -l "$2" "$1/image"
  mkfs.xfs -q -K -s size=4096 "$1/image"
  sync "$1/image" "$1"
  device=$(losetup --find --show --direct-io=on --sector-size 4096 "$1/image")
  limit="/sys/block/\${device#/dev/}/queue/discard_max_bytes"
  read -r most < "$limit"
  if [ "$most" != 0 ]; then echo 0 > "$limit"; fi
  mount "$device" "$1/staging" -o nodev,nosuid
  mount --bind "$1/staging" "$1/target"`;
export const shellDown = `
  umount "$1/target"
  device=$(findmnt -no SOURCE "$1/staging")
  umount "$1/staging"
  losetup -d "$device"
  rm "$1/image"
  sync "$1"`;
export const shell = 'sh with fallocate, mkfs.xfs, sync, losetup, mount';

export async function* lifeFigures({ work, signal }: Scene, host: Host): AsyncIterable<Figure> {
  const typing = new Shell();
  const sides = { ours: await overCsi(host), peer: await byShell(join(work, 'shell'), typing) };
  const samples = await sampleInTurn(sides, { rounds: 60, withinMs: 45_000, signal });
  typing.end();
  yield* wayAndWhole('csi', samples, shell, limit);
}

/** The way up, the way down, and both together, which has the limit. */
export function* wayAndWhole(
  bench: string,
  { ours, peer }: { readonly ours: Samples; readonly peer: Samples },
  name: string,
  wholeLimit: number,
): Iterable<Figure> {
  for (const way of ['up', 'down', 'whole']) {
    const figures = { ours: ours.get(way) ?? [], peer: { name, samples: peer.get(way) ?? [] } };
    yield figureOf({ bench: `${bench}.${way}`, ...figures, ...(way === 'whole' ? { limit: wholeLimit } : {}) });
  }
}

/** Resolves when nothing is left to be freed: it must not slow the other side down. */
export async function untilFreed(pool: string): Promise<void> {
  while ((await readdir(join(pool, 'trash'))).length > 0) await sleep(1);
}

async function overCsi({ driver, caller, pool }: Host): Promise<Side> {
  const paths = await driver.pathsOf('life');
  return async (round) => {
    const { up, down } = await caller.live([{ name: `life-${round}`, ...paths }], bytes, 1);
    await untilFreed(pool);
    return { up, down, whole: up + down };
  };
}

async function byShell(folder: string, typing: Shell): Promise<Side> {
  await mkdir(join(folder, 'staging'), { recursive: true });
  await mkdir(join(folder, 'target'));
  return async () => {
    const up = await timed(() => typing.run(shellUp, folder, String(bytes)));
    const down = await timed(() => typing.run(shellDown, folder));
    return { up, down, whole: up + down };
  };
}
