/**
 * Beside csi-driver-host-path, the reference driver, whose program PEER_HOSTPATH names (no registry serves it). Its volumes are
 * folders: nothing is formatted or mounted, and nothing limits them. So this is for information.
 */
import { accessSync, constants } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { BerthError, messageOf } from '../../../kit/errors.ts';
import type { VolumeCapability } from '../../../protos/types/csi/v1/VolumeCapability.ts';
import type { Scene } from '../benchmark.ts';
import { startProgram } from '../device/program.ts';
import { noPeer, sampleInTurn, timed } from '../sampling.ts';
import type { Side } from '../sampling.ts';
import { figureOf } from '../stats.ts';
import type { Figure } from '../stats.ts';
import { Driver, xfs } from './driver.ts';
import type { Host } from './host.ts';
import { makeKubeletRoot } from './host.ts';
import { untilFreed } from './life.ts';

const variable = 'PEER_HOSTPATH';
const bytes = 1024 ** 3;
const dataBytes = 128 * 1024 ** 2;
const anything: VolumeCapability = { mount: {}, access_mode: { mode: 'SINGLE_NODE_WRITER' } };

/** Throws when the variable names something that cannot be run; says when it names nothing. */
export function checkHostpath(): void {
  const program = process.env[variable] ?? '';
  if (program === '') {
    process.stderr.write(`bench: csi: ${variable} names no program, so csi.hostpath has no peer\n`);
    return;
  }
  try {
    accessSync(program, constants.X_OK);
  } catch (thrown) {
    throw new BerthError('NOT_FOUND', `${variable} names ${program}, which cannot be run: ${messageOf(thrown)}`);
  }
}

/** `host` has a pool whose filesystem shares bytes. */
export async function* hostpathFigures({ work, signal }: Scene, host: Host): AsyncIterable<Figure> {
  const peer = await startPeer(join(work, 'h'));
  const ours = await sideOf(host.driver, xfs, () => untilFreed(host.pool));
  const beside = peer === undefined ? noPeer : await sideOf(peer.driver, anything, () => Promise.resolve());
  try {
    const samples = await sampleInTurn({ ours, peer: beside }, { rounds: 20, withinMs: 60_000, signal, warmUp: 2 });
    for (const name of ['up', 'snapshot', 'down']) {
      const figure = { bench: `csi.hostpath.${name}`, ours: samples.ours.get(name) ?? [] };
      const named = { name: 'csi-driver-host-path', samples: samples.peer.get(name) ?? [] };
      yield figureOf(peer === undefined ? figure : { ...figure, peer: named });
    }
  } finally {
    await peer?.stop();
  }
}

async function startPeer(folder: string): Promise<{ readonly driver: Driver; stop(): Promise<void> } | undefined> {
  const program = process.env[variable] ?? '';
  if (program === '') return undefined;
  const kubeletRoot = join(folder, 'k');
  await makeKubeletRoot(kubeletRoot);
  await mkdir(join(folder, 'state'));
  const socket = join(folder, 'csi.sock');
  const flags = {
    endpoint: `unix://${socket}`,
    statedir: join(folder, 'state'),
    nodeid: 'bench',
    drivername: 'hostpath',
  };
  const command = [program, ...Object.entries(flags).map(([name, value]) => `--${name}=${value}`)];
  const running = startProgram(command, join(folder, 'log'));
  const driver = new Driver(socket, kubeletRoot);
  const served = async (): Promise<void> => {
    while (!(await driver.node.NodeGetInfo({}).then(Boolean, () => false)))
      await new Promise((resolve) => setTimeout(resolve, 50));
  };
  await running.alive(served());
  return {
    driver,
    stop: async () => {
      driver.close();
      await running.stop();
    },
  };
}

/** The life of a volume with 128 MiB in it, and a snapshot of that. */
async function sideOf(driver: Driver, capability: VolumeCapability, freed: () => Promise<void>): Promise<Side> {
  const paths = await driver.pathsOf('hostpath');
  const content = Buffer.alloc(dataBytes, 'berth');
  return async (round) => {
    let [id, snapshot_id] = ['', ''];
    const up = await timed(async () => {
      id = await driver.create(`hostpath-${round}`, bytes, capability);
      await driver.use({ id, ...paths }, capability);
    });
    await writeFile(join(paths.target, 'data'), content, { flush: true });
    const snapshot = await timed(async () => {
      const answer = await driver.controller.CreateSnapshot({ name: `s-${round}`, source_volume_id: id });
      snapshot_id = answer.snapshot?.snapshot_id ?? '';
    });
    await driver.controller.DeleteSnapshot({ snapshot_id });
    await freed();
    const down = await timed(() => driver.takeBack({ id, ...paths }));
    await freed();
    return { up, snapshot, down };
  };
}
