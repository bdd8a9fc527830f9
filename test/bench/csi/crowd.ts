/** Calls that only look at records, with a thousand volumes there and with none; for a page of the list: with no more than it has. */
import { join } from 'node:path';
import type { Scene } from '../benchmark.ts';
import { sampleInTurn, timed } from '../sampling.ts';
import type { Side } from '../sampling.ts';
import { figureOf } from '../stats.ts';
import type { Figure } from '../stats.ts';
import { block } from './driver.ts';
import type { Driver } from './driver.ts';
import { startHost } from './host.ts';

const many = 1_000;
const page = 100;
const bytes = 1024 ** 2;
const atOnce = 8;
const limit = 1.3;

/** Makes so many of the smallest volumes there are. */
export async function crowd(driver: Driver, count: number, signal: AbortSignal): Promise<void> {
  let next = 0;
  const worker = async (): Promise<void> => {
    for (let i = next++; i < count; i = next++) {
      signal.throwIfAborted();
      await driver.create(`crowd-${i}`, bytes, block);
    }
  };
  await Promise.all(Array.from({ length: atOnce }, worker));
}

export async function* crowdFigures({ work, signal }: Scene): AsyncIterable<Figure> {
  const hosts = [
    await startHost(join(work, 'm'), signal),
    await startHost(join(work, 'n'), signal),
    await startHost(join(work, 'p'), signal),
  ] as const;
  const [crowded, empty, paged] = hosts;
  try {
    await crowd(crowded.driver, many, signal);
    await crowd(paged.driver, page, signal);
    const options = { rounds: 150, withinMs: 30_000, signal };
    const calls = await sampleInTurn({ ours: callsOf(crowded.driver), peer: callsOf(empty.driver) }, options);
    const lists = await sampleInTurn({ ours: listOf(crowded.driver), peer: listOf(paged.driver) }, options);
    const figure = (name: string, samples: typeof calls, without: string): Figure => {
      const peer = { name: without, samples: samples.peer.get(name) ?? [] };
      return figureOf({ bench: `csi.crowd.${name}`, ours: samples.ours.get(name) ?? [], peer, limit });
    };
    for (const name of ['create', 'delete', 'capacity']) yield figure(name, calls, 'the same without volumes');
    yield figure('list', lists, `the same with ${page} volumes`);
  } finally {
    for (const host of hosts) await host.stop();
  }
}

function callsOf(driver: Driver): Side {
  return async (round) => {
    let id = '';
    const create = await timed(async () => (id = await driver.create(`one-${round}`, bytes, block)));
    const capacity = await timed(() => driver.controller.GetCapacity({}));
    return { create, capacity, delete: await timed(() => driver.controller.DeleteVolume({ volume_id: id })) };
  };
}

function listOf(driver: Driver): Side {
  return async () => ({ list: await timed(() => driver.controller.ListVolumes({ max_entries: page })) });
}
