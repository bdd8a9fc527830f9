/**
 * From the kernel's making of a new device to the list that the kubelet has of it, beside the peer, which looks every five
 * seconds: both notice the same loop device in the same run. And from an event that somebody asked the kernel for.
 */
import { randomUUID } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import type { LoopDevices } from '../../kernel/loopdevices.ts';
import type { Scene } from '../benchmark.ts';
import { timed } from '../sampling.ts';
import { figureOf } from '../stats.ts';
import type { Figure } from '../stats.ts';
import { loopGlob, loopsOfRun, openLoops } from './loops.ts';
import { ourSide, peerSide } from './sides.ts';
import type { DeviceSide } from './sides.ts';

const limit = 0.01;
const quickRounds = 300;
const peerEveryMs = 5_000;
/** Ours puts lists together that follow each other within 20 ms, which is no delay of the first: each round is to be one. */
const quietMs = 30;

export async function* hotplugFigures({ work, run, signal }: Scene): AsyncIterable<Figure> {
  const devices = { name: 'loop', devRoot: '/dev', glob: loopGlob(run).slice('/dev/'.length) };
  const [ours, peer] = [await ourSide(work, devices), await peerSide(work, devices)];
  const loops = openLoops(run);
  const programs = [ours.start(), ...(peer === undefined ? [] : [peer.side.start()])];
  try {
    for (const side of [ours, peer?.side])
      if (side !== undefined) await side.kubelet.until(() => side.kubelet.resources.get(side.resource)?.lists === 1);
    const quick = await quickSamples(ours, loops, signal);
    const paired = peer === undefined ? { ours: [], peer: [] } : await pairedSamples(ours, peer.side, loops, signal);
    const hotplug = { bench: 'device.hotplug', ours: [...quick, ...paired.ours], limit };
    yield figureOf(peer === undefined ? hotplug : { ...hotplug, peer: { name: peer.name, samples: paired.peer } });
  } finally {
    loops.close();
    await Promise.all(programs.map((program) => program.stop()));
    for (const side of [ours, peer?.side]) await side?.kubelet.stop();
  }
}

/** Plugs one device in, again and again. The kernel's own time to make it counts. */
async function quickSamples(ours: DeviceSide, loops: LoopDevices, signal: AbortSignal): Promise<readonly number[]> {
  const samples: number[] = [];
  for (let round = 0; round < quickRounds; round++) {
    samples.push(
      await timed(() =>
        noticed(ours, 1, () => {
          loops.add(0);
        }),
      ),
    );
    await sleep(quietMs, undefined, { signal });
    // How long that takes says nothing: the kernel removes a disk in some 45 ms, of which its event is a part.
    await noticed(ours, 0, () => {
      loops.remove(0);
    });
    await sleep(quietMs, undefined, { signal });
  }
  return samples;
}

/** Both notice each new device; it comes at another moment of the peer's five seconds each time, so that none is favoured. */
async function pairedSamples(ours: DeviceSide, peer: DeviceSide, loops: LoopDevices, signal: AbortSignal) {
  const samples: { ours: number[]; peer: number[] } = { ours: [], peer: [] };
  const rounds = loopsOfRun - 1;
  // The first tells when the peer looks, and is no sample.
  for (let round = 0; round <= rounds; round++) {
    if (round > 0) await sleep((peerEveryMs * (((round * 4) % rounds) + 0.5)) / rounds, undefined, { signal });
    const began = performance.now();
    const since = async (done: Promise<void>): Promise<number> => {
      await done;
      return performance.now() - began;
    };
    const noticing = [ours, peer].map((side) => since(side.until(round + 1)));
    loops.add(round);
    const [own = 0, other = 0] = await Promise.all(noticing);
    if (round === 0) continue;
    samples.ours.push(own);
    samples.peer.push(other);
  }
  for (let round = 0; round <= rounds; round++) loops.remove(round);
  await Promise.all([ours.until(0), peer.until(0)]);
  return samples;
}

/**
 * An attribute of a device is changed, and the kernel is asked for an event about it: from there to the list, without the
 * making of a device. The rule finds the device by that attribute, so it comes and goes.
 */
export async function* syntheticFigures({ work, run, signal }: Scene): AsyncIterable<Figure> {
  const name = loopGlob(run).slice('/dev/'.length);
  const rule = { match: [{ subsystem: 'block', name, attributes: { 'queue/read_ahead_kb': '64' } }] };
  const ours = await ourSide(work, { name: 'attribute', devRoot: '/dev', glob: name }, rule);
  const loops = openLoops(run);
  loops.add(0);
  const program = ours.start();
  try {
    await ours.kubelet.until(() => ours.kubelet.resources.get(ours.resource)?.lists === 1);
    const folder = loops.path(0).replace('/dev/', '/sys/block/');
    const samples: number[] = [];
    for (let round = 0; round < quickRounds; round++)
      for (const [value, count] of [[64, 1] as const, [128, 0] as const]) {
        writeFileSync(`${folder}/queue/read_ahead_kb`, `${value}`);
        samples.push(
          await timed(() =>
            noticed(ours, count, () => {
              writeFileSync(`${folder}/uevent`, `change ${randomUUID()}`);
            }),
          ),
        );
        await sleep(quietMs, undefined, { signal });
      }
    yield figureOf({ bench: 'device.hotplug.synthetic', ours: samples });
  } finally {
    loops.close();
    await program.stop();
    await ours.kubelet.stop();
  }
}

async function noticed(side: DeviceSide, count: number, happens: () => void): Promise<void> {
  const done = side.until(count);
  happens();
  await done;
}
