/** Our storage service in a process of its own, with a pool and a kubelet's folder. */
import { execFileSync } from 'node:child_process';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { driverSocketPath } from '../../../csi/serving.ts';
import { startSubject } from '../subjectprocess.ts';
import { Caller } from './caller.ts';
import { Driver } from './driver.ts';

export interface Host {
  readonly driver: Driver;
  readonly caller: Caller;
  readonly pool: string;
  stop(): Promise<void>;
}

/** A folder that is a shared mount, as the kubelet's is on a node. */
export async function makeKubeletRoot(path: string): Promise<void> {
  await mkdir(path, { recursive: true });
  execFileSync('mount', ['--bind', path, path]);
  execFileSync('mount', ['--make-shared', path]);
}

/** Everything below `folder`, which must be short: a socket's path is limited. `pool` is a folder; default: one there. */
export async function startHost(folder: string, signal: AbortSignal, pool = join(folder, 'pool')): Promise<Host> {
  const kubeletRoot = join(folder, 'k');
  await makeKubeletRoot(kubeletRoot);
  const storage = { pools: [{ name: 'default', path: pool }], runDir: join('/run/storage', folder) };
  const subject = await startSubject({ storage, kubeletRoot }, folder, signal);
  const socket = driverSocketPath(kubeletRoot, 'csi.berth.dev');
  const [driver, caller] = [new Driver(socket, kubeletRoot), new Caller(socket)];
  return {
    driver,
    caller,
    pool,
    stop: async () => {
      driver.close();
      await caller.end();
      await subject.stop();
    },
  };
}
