/** A lock between processes: a file with the holder's name. A holder that died does not keep it. */
import { linkSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { errnoOf } from '../kit/errors.ts';
import { identify, isAlive } from './processes.ts';
import type { ProcessId } from './processes.ts';
import { waitFor } from './wait.ts';

/** Runs `work` while holding the lock file; waits while another living process holds it (`onWait` is told its pid once). */
export async function withLockFile<Value>(
  path: string,
  onWait: (pid: number) => void,
  work: () => Promise<Value>,
): Promise<Value> {
  mkdirSync(dirname(path), { recursive: true });
  let told = false;
  await waitFor(
    `the lock ${path}`,
    () => {
      const holder = tryLock(path);
      if (holder === undefined) return true;
      if (!told) onWait(holder.pid);
      told = true;
      return undefined;
    },
    { timeoutMs: 3_600_000, intervalMs: 500 },
  );
  try {
    return await work();
  } finally {
    rmSync(path, { force: true });
  }
}

/** Takes the lock and returns undefined, or returns who holds it. */
function tryLock(path: string): ProcessId | undefined {
  const own = `${path}.${process.pid}`;
  writeFileSync(own, JSON.stringify(identify(process.pid)));
  try {
    // A link appears whole or not at all, so nobody reads a half-written holder.
    linkSync(own, path);
    return undefined;
  } catch (error) {
    if (errnoOf(error) !== 'EEXIST') throw error;
    const holder = readHolder(path);
    if (isAlive(holder)) return holder;
    rmSync(path, { force: true });
    return tryLock(path);
  } finally {
    rmSync(own, { force: true });
  }
}

function readHolder(path: string): ProcessId | undefined {
  try {
    return JSON.parse(readFileSync(path, 'utf8')) as ProcessId;
  } catch {
    return undefined;
  }
}
