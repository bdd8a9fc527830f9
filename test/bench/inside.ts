/**
 * The part of a run inside the namespaces, started by main.ts with the work folder and the names of the benchmarks. Ends
 * by a signal, or when main.ts has gone and standard input with it.
 */
import { execFileSync } from 'node:child_process';
import { mkdir, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { messageOf } from '../../kit/errors.ts';
import { benchmarks } from './registry.ts';
import type { Figure, Quantity } from './stats.ts';

const [work = '', resultsFile = '', ...names] = process.argv.slice(2);
/** main.ts calls its folder so. */
const run = Number(basename(work).split('-').at(-1));
const end = new AbortController();
const stop = (): void => {
  end.abort(new Error('interrupted'));
};
process.on('SIGINT', stop);
process.on('SIGTERM', stop);
process.stdin.on('end', stop).resume();

// The machine's /run stays untouched, and network namespaces get names here that nobody else sees.
execFileSync('mount', ['-t', 'tmpfs', '-o', 'mode=0755', 'berth-bench', '/run']);
execFileSync('ip', ['link', 'set', 'lo', 'up']);

const figures: (Figure | Quantity)[] = [];
let code = 0;
for (const benchmark of benchmarks.filter(({ name }) => names.includes(name))) {
  const folder = join(work, benchmark.name);
  try {
    await mkdir(folder, { recursive: true });
    for await (const figure of benchmark.run({ work: folder, run, signal: end.signal })) {
      figures.push(figure);
      process.stdout.write(`${JSON.stringify(figure)}\n`);
      if ('ok' in figure && figure.ok === false) code = 1;
    }
  } catch (error) {
    process.stderr.write(`bench: ${benchmark.name}: ${messageOf(error)}\n`);
    code = 1;
    if (end.signal.aborted) break;
  }
}
await writeFile(resultsFile, `${JSON.stringify(figures, null, 2)}\n`);
for (const { bench, ratio, limit } of figures.filter((figure) => 'ok' in figure).filter(({ ok }) => ok === false))
  process.stderr.write(`bench: ${bench}: ratio ${ratio ?? ''} is above its limit ${limit ?? ''}\n`);
process.exit(end.signal.aborted ? 130 : code);
