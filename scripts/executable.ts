/**
 * Builds the CNI executable: cni/executable/main.ts bundled, compiled to bytecode, and linked with QuickJS and host.c to one static
 * file, which needs nothing on the node: neither a runtime nor a C library.
 */
import { existsSync } from 'node:fs';
import { copyFile, mkdir, readdir, readFile, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { build as bundle } from 'esbuild';
import { cacheFolder } from '../cluster/cache.ts';
import { shortHash } from './debian.ts';
import { noticesOf, toolchainId, withToolchain } from './toolchain.ts';

const source = join(import.meta.dirname, '../cni/executable');
const folder = join(cacheFolder(), 'cni');
const script = `
qjsc -s -c -N berth_program -o program.h main.js
gcc -std=gnu17 -Os -Wall -Wextra -Wno-unused-parameter -Werror -static -s -o berth host.c \\
  /usr/lib/$(gcc -print-multiarch)/quickjs/libquickjs.a -lm
`;
/** Those that nobody has asked for since may be removed. */
const inUseMs = 86_400_000;

/** Builds to `outfile`, for the machine's own processor, or copies what was built of the same before. `progress` says what takes time. */
export async function buildExecutable(
  outfile: string,
  progress: (line: string) => void = () => undefined,
): Promise<void> {
  const [program, host] = await Promise.all([bundled(), readFile(join(source, 'host.c'), 'utf8')]);
  const built = join(folder, `berth-${shortHash(toolchainId, script, program, host)}`);
  await mkdir(folder, { recursive: true });
  if (!existsSync(built)) {
    await removeOld();
    const fill = async (build: string): Promise<void> => {
      await writeFile(join(build, 'main.js'), program);
      await writeFile(join(build, 'host.c'), host);
    };
    await withToolchain({ fill, script, result: 'berth', target: built }, progress);
  }
  await utimes(built, new Date(), new Date());
  await mkdir(dirname(outfile), { recursive: true });
  await copyFile(built, outfile);
}

/** Debian's packages that are linked into it. */
export const executableParts: readonly string[] = ['libquickjs', 'libc6-dev'];

/** The licences of what is linked into it. Only after it was built. */
export function executableNotices(): Promise<string> {
  return noticesOf(executableParts);
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

async function removeOld(): Promise<void> {
  for (const name of await readdir(folder)) {
    const path = join(folder, name);
    // Undefined: somebody else has removed it.
    const about = await stat(path).catch(() => undefined);
    if (about !== undefined && Date.now() - about.mtimeMs > inUseMs) await rm(path, { force: true });
  }
}
