/**
 * Compiler, linker and the engine of the CNI executable: Debian's packages in a folder of their own in the cache, so that what
 * comes out does not depend on this machine's. One process at a time works in it.
 */
import { existsSync } from 'node:fs';
import { copyFile, mkdir, readFile, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { cacheFolder } from '../cluster/cache.ts';
import { runChecked } from '../cluster/command.ts';
import { withLockFile } from '../cluster/lockfile.ts';
import { debianRelease, otherMirror, shortHash, slimOptions } from './debian.ts';

const command = ['--variant=minbase', ...slimOptions, '--include=gcc,libc6-dev,libquickjs,quickjs', debianRelease];
/** Changes with what is in it. */
export const toolchainId = shortHash(...command, process.arch);
const folder = join(cacheFolder(), 'toolchain');
const root = join(folder, toolchainId);

/**
 * Has `fill` put files into an empty folder, runs the shell script there, and copies what it made as `result` to `target`, whole or
 * not at all. `progress` says what takes time.
 */
export async function withToolchain(
  { fill, script, result, target }: ToolchainRun,
  progress: (line: string) => void,
): Promise<void> {
  await withLockFile(
    join(folder, 'lock'),
    () => undefined,
    async () => {
      if (!existsSync(root)) await fetchToolchain(progress);
      const build = join(root, 'build');
      await rm(build, { recursive: true, force: true });
      await mkdir(build);
      await fill(build);
      await runChecked('chroot', [root, 'sh', '-ec', `cd /build\n${script}`]);
      await copyFile(join(build, result), `${target}.new`);
      await rename(`${target}.new`, target);
      await rm(build, { recursive: true });
    },
  );
}

export interface ToolchainRun {
  readonly fill: (folder: string) => Promise<void>;
  readonly script: string;
  readonly result: string;
  readonly target: string;
}

/** The licences of packages in it. Only after it was used. */
export async function noticesOf(packages: readonly string[]): Promise<string> {
  const texts = packages.map((name) => readFile(join(root, 'usr/share/doc', name, 'copyright'), 'utf8'));
  return (await Promise.all(texts)).join('\n');
}

/** Which packages are in it, as dpkg tells it. Only after it was used. */
export function toolchainStatus(): Promise<string> {
  return readFile(join(root, 'var/lib/dpkg/status'), 'utf8');
}

/** A killed one leaves a folder that is removed here. */
async function fetchToolchain(progress: (line: string) => void): Promise<void> {
  progress('getting compiler and engine of the CNI executable (once, half a minute)');
  const unfinished = `${root}.new`;
  await runChecked('rm', ['-rf', '--one-file-system', unfinished]);
  await runChecked('mmdebstrap', ['--quiet', ...command, unfinished, ...(await otherMirror())]);
  await rename(unfinished, root);
}
