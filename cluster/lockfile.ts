/**
 * A lock between processes: flock(2) on a file, held by a child of the program `flock`, so that the kernel gives it back however
 * the holder ends, and two that wait can never both have it. The file stays; it says who holds the lock, or held it last.
 */
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { BerthError } from '../kit/errors.ts';

/** Runs `work` while holding the lock file; waits while another process holds it (`onWait` is told its pid once). */
export async function withLockFile<Value>(
  path: string,
  onWait: (pid: number) => void,
  work: () => Promise<Value>,
): Promise<Value> {
  mkdirSync(dirname(path), { recursive: true });
  let holder = await take(path, ['--nonblock']);
  if (holder === undefined) {
    onWait(readHolder(path));
    holder = await take(path, []);
  }
  if (holder === undefined) throw new BerthError('INTERNAL', `the lock ${path} cannot be taken`);
  try {
    writeFileSync(path, `${process.pid}\n`);
    return await work();
  } finally {
    const ended = once(holder, 'close');
    holder.stdin?.end();
    await ended;
  }
}

/** The process that holds the lock while its standard input is open; undefined if somebody else does. */
async function take(path: string, options: readonly string[]): Promise<ChildProcess | undefined> {
  const holding = ['sh', '-c', 'echo held; exec cat'];
  // A group of its own, for Ctrl-C ends all of ours and the work has to be undone under the lock.
  const child = spawn('flock', [...options, path, ...holding], { stdio: ['pipe', 'pipe', 'ignore'], detached: true });
  const first = await Promise.race([once(child, 'close'), once(child.stdout, 'data')]);
  return first[0] instanceof Buffer ? child : undefined;
}

/** The pid in the file, or 0 if it is not written yet. */
function readHolder(path: string): number {
  const pid = Number(readFileSync(path, 'utf8'));
  return Number.isInteger(pid) ? pid : 0;
}
