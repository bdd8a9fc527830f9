/** fio writing blocks with checksums into a pod's volume, as that pod sees it, and reading them back, until it is told to end. */
import { readFile, readdir } from 'node:fs/promises';
import { text } from 'node:stream/consumers';
import { z } from 'zod';
import type { Pod } from '../../scripts/kubectl.ts';
import { startCommand } from '../cluster/peers.ts';

export interface WriterReport {
  readonly written: number;
  /** Bytes read back and found right, or counted as an error. */
  readonly verified: number;
  /** Of reads, writes and checksums. */
  readonly errors: number;
}

const side = z.object({ io_bytes: z.number() });
const job = z.object({ error: z.number(), total_err: z.number(), read: side, write: side });
const report = z.object({ jobs: z.tuple([job]) });

/** Writes into a folder of the pod; without the page cache, so that every byte goes to the pool and comes from there. */
export async function startWriter(pod: Pod, folder: string): Promise<{ end(): Promise<WriterReport> }> {
  const file = `/proc/${await processOf(pod)}/root${folder}/verified`;
  const fio = startCommand('fio', [
    ...['--name=writer', `--filename=${file}`, '--rw=randwrite', '--bs=64k', '--size=64M', '--rate=8m,8m'],
    ...['--direct=1', '--ioengine=psync', '--fsync=64', '--time_based', '--runtime=86400'],
    ...[
      '--verify=crc32c',
      '--verify_backlog=32',
      '--verify_fatal=0',
      '--continue_on_error=all',
      '--verify_state_save=0',
    ],
    '--output-format=json',
  ]);
  const said = text(fio.stdout);
  return {
    end: async () => {
      fio.kill('SIGINT');
      const whole = await said;
      const [{ error, total_err: errors, read, write }] = report.parse(
        JSON.parse(whole.slice(whole.indexOf('{'))),
      ).jobs;
      if (error !== 0 && errors === 0) throw new Error(`fio ended with error ${error}: ${whole.slice(0, 500)}`);
      return { written: write.io_bytes, verified: read.io_bytes, errors };
    },
  };
}

/** The pid, as this machine numbers it, of a program in a pod; `/proc/PID/root` is what its container sees. */
async function processOf({ metadata: { name, uid } }: Pod): Promise<string> {
  for (const pid of await readdir('/proc')) {
    if (!/^\d+$/.test(pid)) continue;
    // Those that end meanwhile are not it.
    const read = (file: string): Promise<string> => readFile(`/proc/${pid}/${file}`, 'utf8').catch(() => '');
    const cgroups = await read('cgroup');
    const isInPod = cgroups.includes(`pod${uid}`) || cgroups.includes(`pod${uid.replaceAll('-', '_')}`);
    if (isInPod && (await read('comm')) !== 'pause\n') return pid;
  }
  throw new Error(`no process of this machine is in the pod ${name}`);
}
