/** The agent's image as a file that containerd imports: daemonset/Containerfile on a base made from Debian packages. */
import { existsSync } from 'node:fs';
import { mkdir, readdir, readFile, rename, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { cacheFolder } from '../cluster/cache.ts';
import { run, runChecked } from '../cluster/command.ts';
import { withLockFile } from '../cluster/lockfile.ts';
import manifest from '../package.json' with { type: 'json' };
import { build, distFolder, sbomFile } from './build.ts';
import { debianRelease, otherMirror, shortHash, slimOptions } from './debian.ts';
import { componentsOf, debianComponents, spdxDocument } from './sbom.ts';

/** The name the DaemonSet asks for; the kustomization holds the same (a test compares). */
export const imageRef = `berth.dev/berth:${manifest.version}`;

const containerfile = join(import.meta.dirname, '../daemonset/Containerfile');
const baseContainerfile = 'FROM scratch\nADD base.tar /\nCMD ["/bin/bash"]\n';
const baseCommand = ['--variant=minbase', ...slimOptions, debianRelease];

export interface BuiltImage {
  /** A Docker archive (uncompressed, which is quicker to write and to import than OCI's gzip). */
  readonly path: string;
  readonly ref: string;
  /** The bill of materials of all that is in it (SPDX 2.3, JSON). */
  readonly sbom: string;
}

export interface BuildOptions {
  readonly progress: (line: string) => void;
  /** Ends the build when aborted. */
  readonly signal?: AbortSignal;
}

/** Builds dist/ and the image where they are out of date; resolves at once when nothing has changed. */
export async function buildImage(options: BuildOptions): Promise<BuiltImage> {
  const { progress } = options;
  const folder = join(cacheFolder(), 'images');
  const waiting = (pid: number): void => {
    progress(`waiting for process ${pid}, which builds the image too`);
  };
  return await withLockFile(join(folder, 'lock'), waiting, async () => {
    const dist = await build(progress);
    const recipe = await readFile(containerfile, 'utf8');
    const hash = shortHash(dist, recipe, baseContainerfile, ...baseCommand, imageRef);
    const path = join(folder, `berth-${hash}.tar`);
    const sbom = sbomOf(path);
    if (!existsSync(path) || !existsSync(sbom)) await makeImage(folder, path, options);
    // By this the build of another checkout knows that somebody needs it.
    await utimes(path, new Date(), new Date());
    return { path, ref: imageRef, sbom };
  });
}

async function makeImage(folder: string, path: string, { progress, signal }: BuildOptions): Promise<void> {
  const ending = signal === undefined ? {} : { signal };
  const storage = join(folder, 'storage');
  // buildah's own run-time state is of use only while it runs.
  const scratch = join(folder, 'scratch');
  // What a killed build left; nobody else builds here while we hold the lock.
  await removeScratch(scratch);
  await mkdir(scratch, { recursive: true });
  const buildah = ['--root', storage, '--runroot', join(scratch, 'run')];
  try {
    const base = `localhost/berth-base:${shortHash(baseContainerfile, ...baseCommand)}`;
    if ((await run('buildah', [...buildah, 'inspect', '--type', 'image', base])).code !== 0) {
      progress('image: making the Debian base (once, half a minute)');
      await runChecked(
        'mmdebstrap',
        ['--quiet', ...baseCommand, join(scratch, 'base.tar'), ...(await otherMirror())],
        ending,
      );
      await writeFile(join(scratch, 'Containerfile'), baseContainerfile);
      await runChecked('buildah', [...buildah, 'build', '--isolation', 'chroot', '--tag', base, scratch], ending);
    }
    progress('image: building daemonset/Containerfile');
    const arguments_ = ['--isolation', 'chroot', '--layers', '--build-arg', `BASE=${base}`, '--tag', imageRef];
    await runChecked('buildah', [...buildah, 'build', ...arguments_, '--file', containerfile, distFolder], ending);
    progress('image: writing the archive');
    await removeArchives(folder);
    await runChecked(
      'buildah',
      [...buildah, 'push', '--quiet', imageRef, `docker-archive:${path}.new:${imageRef}`],
      ending,
    );
    await writeSbom(buildah, sbomOf(path));
    await rename(`${path}.new`, path);
    // The layers of earlier builds; those the new image stands on are kept.
    await run('buildah', [...buildah, 'rmi', '--prune']);
  } finally {
    // The overlay driver leaves its folder mounted on itself.
    await run('umount', [join(storage, 'overlay')]);
    await removeScratch(scratch);
  }
}

/** Beside the archive. */
function sbomOf(archive: string): string {
  return archive.replace(/\.tar$/, '.spdx.json');
}

/** What dist/ has, and the Debian packages that are really in the image. */
async function writeSbom(buildah: readonly string[], target: string): Promise<void> {
  const container = (await runChecked('buildah', [...buildah, 'from', '--pull-never', imageRef])).trim();
  try {
    const mounted = (await runChecked('buildah', [...buildah, 'mount', container])).trim();
    const status = await readFile(join(mounted, 'var/lib/dpkg/status'), 'utf8');
    const ours = componentsOf(await readFile(join(distFolder, sbomFile), 'utf8'));
    const all = [...ours, ...debianComponents(status, debianRelease)];
    const document = spdxDocument({ name: 'berth-image', version: manifest.version }, all);
    await writeFile(target, `${JSON.stringify(document, null, 1)}\n`);
  } finally {
    await run('buildah', [...buildah, 'rm', container]);
  }
}

/** Stays out of what a killed buildah may have left mounted in there. */
async function removeScratch(folder: string): Promise<void> {
  await runChecked('rm', ['-rf', '--one-file-system', folder]);
}

/** Longer than it takes from the build of an image until every node has it, also while Kubernetes is being compiled. */
const inUseMs = 3_600_000;

/**
 * Archives of earlier builds, and halves of killed ones: each has half a gigabyte. Those that were asked for lately stay, for
 * another checkout may share the cache and be about to load its own.
 */
async function removeArchives(folder: string): Promise<void> {
  await mkdir(folder, { recursive: true });
  for (const name of await readdir(folder)) {
    if (!/^berth-[0-9a-f]+\.(tar(\.new)?|spdx\.json)$/.test(name)) continue;
    const path = join(folder, name);
    const unused = name.endsWith('.new') || Date.now() - (await stat(path)).mtimeMs > inUseMs;
    if (unused) await rm(path);
  }
}

if (import.meta.main) {
  const { path, ref, sbom } = await buildImage({ progress: (line) => process.stderr.write(`${line}\n`) });
  process.stderr.write(`${ref} is in ${path}, its bill of materials in ${sbom}\n`);
  process.stdout.write(`${path}\n`);
}
