/** Resident memory of the agent as it is delivered, serving storage alone: without volumes, and with 500. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { driverSocketPath } from '../../../csi/serving.ts';
import { distFolder } from '../../../scripts/build.ts';
import type { Scene } from '../benchmark.ts';
import { startProgram } from '../device/program.ts';
import type { Quantity } from '../stats.ts';
import { crowd } from './crowd.ts';
import { Driver } from './driver.ts';
import { makeKubeletRoot } from './host.ts';

const volumes = 500;

export async function* memoryFigures({ work, signal }: Scene): AsyncIterable<Quantity> {
  const folder = join(work, 'a');
  const kubeletRoot = join(folder, 'k');
  await makeKubeletRoot(kubeletRoot);
  const file = join(folder, 'config.json');
  const config = {
    apiVersion: 'berth.dev/v1alpha1',
    kind: 'NodeConfig',
    agent: { nodeName: 'bench', stateDir: join(folder, 'state'), socket: join(folder, 'agent.sock') },
    kubelet: { rootDir: kubeletRoot },
    storage: { pools: [{ name: 'default', path: join(folder, 'pool') }], runDir: join(folder, 'run') },
  };
  writeFileSync(file, JSON.stringify(config));
  const command = [join(distFolder, 'bin/node'), join(distFolder, 'berth.mjs'), 'run', '--config', file];
  const program = startProgram(command, join(folder, 'log'));
  const driver = new Driver(driverSocketPath(kubeletRoot, 'csi.berth.dev'), kubeletRoot);
  try {
    await program.alive(untilServed(driver, signal));
    yield { bench: 'csi.rss', value: await program.rss(), unit: 'MiB without volumes' };
    await program.alive(crowd(driver, volumes, signal));
    for (let i = 0; i < 100; i++) await program.alive(driver.controller.ListVolumes({ max_entries: 100 }));
    yield { bench: 'csi.rss', value: await program.rss(), unit: `MiB with ${volumes} volumes` };
  } finally {
    driver.close();
    await program.stop();
  }
}

async function untilServed(driver: Driver, signal: AbortSignal): Promise<void> {
  for (;;) {
    signal.throwIfAborted();
    const served = await driver.node.NodeGetInfo({}).then(
      () => true,
      () => false,
    );
    if (served) return;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}
