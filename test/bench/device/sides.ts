/** Ours and the peer with the same devices, each with a kubelet of its own. */
import { execFileSync } from 'node:child_process';
import { accessSync, constants, writeFileSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { BerthError, messageOf } from '../../../kit/errors.ts';
import { createLogger } from '../../../kit/log.ts';
import { distFolder } from '../../../scripts/build.ts';
import { FakeKubelet } from '../../kubelet/fakekubelet.ts';
import { startProgram } from './program.ts';
import type { Program } from './program.ts';

const variable = 'PEER_GENERIC_DEVICE_PLUGIN';
const domain = 'bench.berth.dev';

/** What a side offers. */
export interface Devices {
  /** Name of the resource without its domain. */
  readonly name: string;
  /** Where the nodes are, and the pattern below it. */
  readonly devRoot: string;
  readonly glob: string;
}

export interface DeviceSide {
  readonly kubelet: FakeKubelet;
  readonly resource: string;
  /** Starts the program; it may be started again when it has been stopped. */
  start(): Program;
  /** IDs that the kubelet has as healthy. */
  healthy(): readonly string[];
  /** Resolves when the kubelet has so many. */
  until(count: number): Promise<void>;
}

/** The agent as it is delivered: one bundled file. `rule` is what it finds, where that is no pattern of paths. */
export async function ourSide(work: string, { name, devRoot, glob }: Devices, rule?: object): Promise<DeviceSide> {
  const folder = join(work, `ours-${name}`);
  const kubelet = await startKubelet(folder);
  const resource = `${domain}/${name}`;
  const file = join(folder, 'config.json');
  const config = {
    apiVersion: 'berth.dev/v1alpha1',
    kind: 'NodeConfig',
    agent: { stateDir: join(folder, 'state'), socket: join(folder, 'agent.sock') },
    kubelet: { rootDir: folder },
    devices: {
      devRoot,
      cdiDir: join(folder, 'cdi'),
      resources: [{ name: resource, ...(rule ?? { paths: [`/dev/${glob}`] }) }],
    },
  };
  writeFileSync(file, JSON.stringify(config));
  const command = [join(distFolder, 'bin/node'), join(distFolder, 'berth.mjs'), 'run', '--config', file];
  return side(kubelet, resource, () => startProgram(command, join(folder, 'log')));
}

/** The peer, where the environment names it; else undefined, which is said. */
export async function peerSide(
  work: string,
  { name, devRoot, glob }: Devices,
): Promise<{ readonly name: string; readonly side: DeviceSide } | undefined> {
  const program = process.env[variable];
  if (program === undefined || program === '') return undefined;
  const folder = join(work, `peer-${name}`);
  const kubelet = await startKubelet(folder);
  const device = { name, groups: [{ paths: [{ path: join(devRoot, glob) }] }] };
  const command = [
    program,
    ...['--device', JSON.stringify(device), '--plugin-directory', kubelet.directory],
    ...['--domain', domain, '--listen', '127.0.0.1:0'],
  ];
  return {
    name: 'generic-device-plugin',
    side: side(kubelet, `${domain}/${name}`, () => startProgram(command, join(folder, 'log'))),
  };
}

/** Throws when the variable names something that cannot be run; says when it names nothing. */
export function checkPeer(): void {
  const program = process.env[variable];
  if (program === undefined || program === '') {
    process.stderr.write(`bench: device: ${variable} names no program, so these figures have no peer\n`);
    return;
  }
  try {
    accessSync(program, constants.X_OK);
  } catch (thrown) {
    throw new BerthError('NOT_FOUND', `${variable} names ${program}, which cannot be run: ${messageOf(thrown)}`);
  }
}

/** Makes nodes of a major number no driver has: they are never opened. */
export async function makeNodes(devRoot: string, count: number): Promise<void> {
  await mkdir(devRoot);
  const script = `i=0; while [ $i -lt ${count} ]; do mknod ${devRoot}/port$i c 240 $i; i=$((i + 1)); done`;
  execFileSync('sh', ['-ec', script]);
}

async function startKubelet(folder: string): Promise<FakeKubelet> {
  const kubelet = new FakeKubelet(folder, createLogger('error'));
  await kubelet.start();
  return kubelet;
}

function side(kubelet: FakeKubelet, resource: string, start: () => Program): DeviceSide {
  const healthy = (): readonly string[] =>
    Object.entries(kubelet.resources.get(resource)?.health ?? {})
      .filter(([, health]) => health === 'Healthy')
      .map(([id]) => id);
  return { kubelet, resource, start, healthy, until: (count) => kubelet.until(() => healthy().length === count) };
}
