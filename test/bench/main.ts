/**
 * `npm run bench [name]`: prepares ours and the peers, measures them inside.ts in namespaces of their own, and removes
 * everything again, also after Ctrl-C and also what a killed run has left. Exit code 1: a failure, or a limit exceeded.
 */
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readdirSync, rmSync } from 'node:fs';
import { availableParallelism, loadavg } from 'node:os';
import { basename, join } from 'node:path';
import { messageOf } from '../../kit/errors.ts';
import { closeLoops } from './device/loops.ts';
import { benchmarks } from './registry.ts';

/** A real disk; short, because socket paths are limited. */
const parent = '/var/tmp';
const prefix = 'berth-bench-';
/** No run takes longer, whatever hangs. */
const longestMs = 1_500_000;
const patienceMs = 10_000;
const resultsFile = join(import.meta.dirname, '../../bench-results.json');

/** Removes the loop devices of a run, detaches those of files in its folder, and removes that. Mounts have ended with their namespace. */
function clean(folder: string): void {
  closeLoops(runOf(folder));
  const list = execFileSync('losetup', ['--list', '--noheadings', '--raw', '--output', 'NAME,BACK-FILE'], {
    encoding: 'utf8',
  });
  for (const line of list.split('\n')) {
    const [device = '', file = ''] = line.split(' ');
    if (file.startsWith(`${folder}/`)) execFileSync('losetup', ['--detach', device]);
  }
  rmSync(folder, { recursive: true, force: true });
}

function runOf(folder: string): number {
  return Number(basename(folder).slice(prefix.length));
}

/** Removes what runs have left that were killed; their number is that of their process. */
function cleanAfterKilled(): void {
  for (const name of readdirSync(parent).filter((each) => each.startsWith(prefix))) {
    try {
      process.kill(runOf(name), 0);
    } catch {
      clean(join(parent, name));
    }
  }
}

async function measure(work: string, names: readonly string[]): Promise<number> {
  const namespaces = ['--mount', '--net', '--pid', '--fork', '--kill-child', '--mount-proc'];
  const inside = [process.execPath, join(import.meta.dirname, 'inside.ts'), work, resultsFile, ...names];
  const child = spawn('unshare', [...namespaces, ...inside], { stdio: ['pipe', 'inherit', 'inherit'] });
  let timer: NodeJS.Timeout | undefined;
  // The closed pipe tells the inside to end, whichever way this process was told; what does not is killed.
  const end = (): void => {
    child.stdin.end();
    timer ??= setTimeout(() => child.kill('SIGKILL'), patienceMs);
  };
  process.on('SIGINT', end);
  process.on('SIGTERM', end);
  const tooLong = setTimeout(() => {
    process.stderr.write(`bench: not done after ${longestMs / 1_000} s; giving up\n`);
    end();
  }, longestMs);
  const [code] = (await once(child, 'exit')) as [number | null];
  clearTimeout(tooLong);
  clearTimeout(timer);
  return code ?? 1;
}

/** Figures of a machine that does something else are still comparable, and worth little. */
function warnWhenBusy(): void {
  const [load = 0] = loadavg();
  if (load > availableParallelism())
    process.stderr.write(`bench: the machine is busy (load ${load.toFixed(1)}): expect high and scattered figures\n`);
}

async function main(asked: readonly string[]): Promise<number> {
  const known = benchmarks.map(({ name }) => name);
  const unknown = asked.filter((name) => !known.includes(name));
  if (unknown.length > 0) {
    process.stderr.write(`bench: there is no benchmark ${unknown.join(', ')}; there are ${known.join(', ')}\n`);
    return 2;
  }
  if (process.getuid?.() !== 0) {
    process.stderr.write('bench: namespaces, mounts and loop devices need root; run it again as root\n');
    return 1;
  }
  const names = asked.length === 0 ? known : asked;
  cleanAfterKilled();
  const work = join(parent, `${prefix}${process.pid}`);
  mkdirSync(work, { mode: 0o700 });
  try {
    for (const benchmark of benchmarks.filter(({ name }) => names.includes(name))) await benchmark.prepare(work);
    warnWhenBusy();
    return await measure(work, names);
  } catch (error) {
    process.stderr.write(`bench: ${messageOf(error)}\n`);
    return 1;
  } finally {
    clean(work);
  }
}

process.exitCode = await main(process.argv.slice(2));
