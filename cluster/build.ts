/** Builds programs from the Go modules of this room into the cache; what is there is not built again. */
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, globSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { basename, join } from 'node:path';
import { createInterface } from 'node:readline';
import { BerthError } from '../kit/errors.ts';
import { cacheFolder } from './cache.ts';
import { findGo } from './go.ts';
import type { Go } from './go.ts';
import { withLockFile } from './lockfile.ts';
import { moduleFolder, programs } from './programs.ts';
import type { ProgramName } from './programs.ts';
import { startProgress } from './progress.ts';
import type { Progress } from './progress.ts';

/**
 * Paths of the built programs, building those that are missing (minutes the first time, with progress on stderr).
 * Two callers at once take turns. Errors: FAILED_PRECONDITION without a usable Go; INTERNAL with the compiler's words.
 */
export async function ensurePrograms<Name extends ProgramName>(names: readonly Name[]): Promise<Record<Name, string>> {
  const missing = names.filter((name) => !existsSync(programPath(name)));
  if (missing.length > 0) {
    const go = await findGo();
    const tell = (pid: number): unknown => process.stderr.write(`Waiting for the build of process ${pid}\n`);
    for (const { module, names: group } of buildGroups(missing)) {
      await withLockFile(join(cacheFolder(), `build-${module}.lock`), tell, () => buildGroup(go, module, group));
    }
  }
  return Object.fromEntries(names.map((name) => [name, programPath(name)])) as Record<Name, string>;
}

/** Where a program lies once built: the folder is named after the content that it was built from. */
export function programPath(name: ProgramName): string {
  return join(cacheFolder(), 'bin', `${programs[name].module}-${sourceHash(name)}`, name);
}

/** Names the content a module's programs are built from: its go.mod, go.sum, sources, flags and the architecture. */
function sourceHash(name: ProgramName): string {
  const folder = moduleFolder(name);
  const hash = createHash('sha256').update(`${programs[name].ldflags}\0${process.arch}\0`);
  for (const file of globSync(['go.mod', 'go.sum', '**/*.go'], { cwd: folder }).toSorted()) {
    hash.update(`${file}\0`).update(readFileSync(join(folder, file)));
  }
  return hash.digest('hex').slice(0, 12);
}

export interface BuildGroup {
  readonly module: string;
  readonly names: readonly ProgramName[];
}

/** Programs of one module together: one build shares the packages between them. They have the same linker flags. */
export function buildGroups(names: readonly ProgramName[]): BuildGroup[] {
  const groups = Map.groupBy(names, (name) => programs[name].module);
  return [...groups].map(([module, members]) => ({ module, names: members }));
}

async function buildGroup(go: Go, module: string, group: readonly ProgramName[]): Promise<void> {
  // Somebody else may have built them while we waited for the lock.
  const names = group.filter((name) => !existsSync(programPath(name)));
  const [first] = names;
  if (first === undefined) return;
  const progress = startProgress(
    `Building ${names.length > 2 ? `${first} and ${names.length - 1} more` : names.join(', ')}`,
  );
  const started = Date.now();
  const target = join(programPath(first), '..');
  mkdirSync(target, { recursive: true });
  // What a killed build left; nobody else builds this module while we hold the lock.
  for (const left of globSync(`.build-${module}-*`, { cwd: cacheFolder() })) {
    rmSync(join(cacheFolder(), left), { recursive: true });
  }
  const output = mkdtempSync(join(cacheFolder(), `.build-${module}-`));
  try {
    const packages = names.map((name) => programs[name].goPackage);
    const folder = moduleFolder(first);
    const total = await countStale(go, folder, packages, progress);
    let done = 0;
    const args = ['build', '-v', '-mod=readonly', '-buildvcs=false', '-ldflags', programs[first].ldflags];
    await runGo(go, folder, [...args, '-o', `${output}/`, ...packages], (line) => {
      if (!line.startsWith('go: ')) done += 1;
      progress.update(done, Math.max(total, done), line);
    });
    for (const built of readdirSync(output)) {
      // A package "." is named after its module, which is named after the folder and so after the program.
      renameSync(join(output, built), join(target, built));
    }
  } finally {
    rmSync(output, { recursive: true, force: true });
  }
  progress.finish(`done in ${Math.round((Date.now() - started) / 1000)} s`);
}

/** How many packages the build will compile. Fetches the modules it needs, which is the first wait of a fresh machine. */
async function countStale(go: Go, folder: string, packages: readonly string[], progress: Progress): Promise<number> {
  let stale = 0;
  let fetched = 0;
  const format = '{{if .Stale}}stale{{end}}';
  await runGo(go, folder, ['list', '-mod=readonly', '-deps', '-f', format, ...packages], (line) => {
    if (line === 'stale') stale += 1;
    else if (line.startsWith('go: downloading')) fetched += 1;
    progress.update(0, 0, fetched === 0 ? 'looking what is needed' : `${fetched} modules fetched`);
  });
  return stale;
}

/** Runs go and hands over each line it prints. */
async function runGo(go: Go, folder: string, args: readonly string[], onLine: (line: string) => void): Promise<void> {
  const child = spawn(go.path, args, {
    cwd: folder,
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, ...go.env, CGO_ENABLED: '0' },
  });
  const complaints: string[] = [];
  for (const stream of [child.stdout, child.stderr]) {
    createInterface({ input: stream }).on('line', (line) => {
      // Package names have no spaces, complaints have.
      if (line.includes(' ') && !line.startsWith('go: downloading')) complaints.push(line);
      onLine(line);
    });
  }
  const code = await new Promise<number | null>((resolve, reject) => {
    child.on('error', reject);
    child.on('close', resolve);
  });
  if (code !== 0) {
    const what = `go ${args[0] ?? ''} in cluster/${basename(folder)}`;
    throw new BerthError('INTERNAL', `${what} failed with ${code ?? 'a signal'}:\n${complaints.slice(-8).join('\n')}`);
  }
}
