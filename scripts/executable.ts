/**
 * Builds the CNI executable: cni/executable/main.ts bundled, compiled to bytecode, and linked with QuickJS and host.c to one static
 * file, which needs nothing on the node: neither a runtime nor a C library. Compiler and engine come from Debian's packages, in a
 * folder of their own, so that what comes out does not depend on this machine's.
 */
import { existsSync } from 'node:fs';
import { copyFile, mkdir, readdir, readFile, rename, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { build as bundle } from 'esbuild';
import { cacheFolder } from '../cluster/cache.ts';
import { runChecked } from '../cluster/command.ts';
import { withLockFile } from '../cluster/lockfile.ts';
import { debianRelease, otherMirror, shortHash, slimOptions } from './debian.ts';

const source = join(import.meta.dirname, '../cni/executable');
const toolchainCommand = [
  '--variant=minbase',
  ...slimOptions,
  '--include=gcc,libc6-dev,libquickjs,quickjs',
  debianRelease,
];
const folder = join(cacheFolder(), 'cni');
const toolchain = join(folder, `toolchain-${shortHash(...toolchainCommand, process.arch)}`);
const engine = `/usr/lib/$(gcc -print-multiarch)/quickjs/libquickjs.a`;
/** In the toolchain's folder. The engine's library was made for optimizing at link time. */
const compile = [
  'set -e',
  'cd /build',
  'qjsc -s -c -N berth_program -o program.h main.js',
  `gcc -std=gnu17 -Os -Wall -Wextra -Wno-unused-parameter -Werror -static -s -o berth host.c ${engine} -lm`,
].join('\n');
/** Those that nobody has asked for since may be removed. */
const inUseMs = 86_400_000;

/** Builds to `outfile`, for the machine's own processor, or copies what was built of the same before. `progress` says what takes time. */
export async function buildExecutable(
  outfile: string,
  progress: (line: string) => void = () => undefined,
): Promise<void> {
  const [program, host] = await Promise.all([bundled(), readFile(join(source, 'host.c'), 'utf8')]);
  const built = join(folder, `berth-${shortHash(toolchain, compile, program, host)}`);
  await withLockFile(
    join(folder, 'lock'),
    () => undefined,
    async () => {
      if (!existsSync(built)) {
        await removeOld();
        if (!existsSync(toolchain)) await makeToolchain(progress);
        await compileTo(built, { 'main.js': program, 'host.c': host });
      }
      await utimes(built, new Date(), new Date());
    },
  );
  await mkdir(dirname(outfile), { recursive: true });
  await copyFile(built, outfile);
}

/** The licences of what is linked into it. Only after it was built. */
export async function executableNotices(): Promise<string> {
  const texts = ['libquickjs', 'libc6'].map((name) =>
    readFile(join(toolchain, 'usr/share/doc', name, 'copyright'), 'utf8'),
  );
  return (await Promise.all(texts)).join('\n');
}

async function bundled(): Promise<string> {
  const { outputFiles } = await bundle({
    entryPoints: [join(source, 'main.ts')],
    bundle: true,
    write: false,
    minify: true,
    format: 'iife',
    // What the engine knows.
    target: 'es2023',
    logLevel: 'error',
  });
  return outputFiles[0]?.text ?? '';
}

/** Whole or not at all: a killed one leaves a folder that is removed here. */
async function makeToolchain(progress: (line: string) => void): Promise<void> {
  progress('CNI executable: getting compiler and engine (once, half a minute)');
  const unfinished = `${toolchain}.new`;
  await runChecked('rm', ['-rf', '--one-file-system', unfinished]);
  await runChecked('mmdebstrap', ['--quiet', ...toolchainCommand, unfinished, ...(await otherMirror())]);
  await rename(unfinished, toolchain);
}

async function compileTo(target: string, files: Readonly<Record<string, string>>): Promise<void> {
  const build = join(toolchain, 'build');
  await rm(build, { recursive: true, force: true });
  await mkdir(build);
  for (const [name, text] of Object.entries(files)) await writeFile(join(build, name), text);
  await runChecked('chroot', [toolchain, 'sh', '-c', compile]);
  await copyFile(join(build, 'berth'), `${target}.new`);
  await rename(`${target}.new`, target);
}

async function removeOld(): Promise<void> {
  for (const name of await readdir(folder)) {
    const path = join(folder, name);
    if (name.startsWith('berth-') && Date.now() - (await stat(path)).mtimeMs > inUseMs) await rm(path);
  }
}
