/** fio, the program that measures disks: one job, and how long it took. */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { z } from 'zod';
import { BerthError } from '../../../kit/errors.ts';

const run = promisify(execFile);

export interface FioJob {
  readonly file: string;
  readonly rw: 'write' | 'randwrite' | 'read';
  readonly bs: string;
  /** Of the file. */
  readonly size: string;
  /** What is read or written of it; default: all. */
  readonly amount?: string;
  readonly depth?: number;
}

const side = z.object({ runtime: z.number() });
const report = z.object({ jobs: z.array(z.object({ read: side, write: side })).min(1) });

/** Throws NOT_FOUND when it is not installed. */
export async function requireFio(): Promise<void> {
  await run('fio', ['--version']).catch((cause: unknown) => {
    throw new BerthError('NOT_FOUND', 'fio is not installed; install the Debian package fio', { cause });
  });
}

/** Runs the job without the page cache, and returns its milliseconds. */
export async function fio({ file, rw, bs, size, amount = size, depth = 32 }: FioJob): Promise<number> {
  const { stdout } = await run('fio', [
    ...['--name=bench', `--filename=${file}`, `--rw=${rw}`, `--bs=${bs}`, `--size=${size}`, `--io_size=${amount}`],
    ...['--direct=1', '--ioengine=libaio', `--iodepth=${depth}`, '--fallocate=none', '--output-format=json'],
  ]);
  const [job] = report.parse(JSON.parse(stdout)).jobs;
  return Math.max(job?.read.runtime ?? 0, job?.write.runtime ?? 0);
}
