/** `npm run build`: everything the image needs, in dist/: Node, the agent as one file, its native parts, the CNI executable. */
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { chmod, copyFile, cp, mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { basename, dirname, join, relative } from 'node:path';
import { promisify } from 'node:util';
import { build as bundle } from 'esbuild';
import manifest from '../package.json' with { type: 'json' };
import { debianRelease } from './debian.ts';
import { buildExecutable, executableNotices, executableParts } from './executable.ts';
import { debianComponents, npmComponent, packageFolders, spdxDocument } from './sbom.ts';
import { buildPlugin, forOlderModules } from './plugin.ts';
import { toolchainStatus, withToolchain } from './toolchain.ts';

const root = join(import.meta.dirname, '..');
/** Where `build` leaves everything; the build context of daemonset/Containerfile. */
export const distFolder = join(root, 'dist');
const nodeProgram = join(distFolder, 'bin/node');
const stampsFile = join(distFolder, '.stamps.json');

/** A part of dist/ that is made anew only when what it is made of has changed. */
interface Part {
  readonly name: string;
  /** Files and folders it is made of, relative to the repository. */
  readonly inputs: readonly string[];
  /** What it makes, relative to dist/; removed before it is made. */
  readonly outputs: readonly string[];
  make(progress: (line: string) => void): Promise<void>;
}

/** What others made of it, for scanners; image.ts adds what the base has. */
export const sbomFile = 'sbom.spdx.json';

const rooms = ['agent', 'cni', 'csi', 'deviceplugin', 'kit', 'kubelet', 'linux', 'protos'];
const nativeKoffi = `@koromix/koffi-linux-${process.arch}`;

const parts: readonly Part[] = [
  {
    name: 'node',
    inputs: ['node_modules/node/package.json', 'node_modules/node/bin/node', 'scripts/toolchain.ts'],
    outputs: ['bin'],
    async make(progress) {
      await mkdir(join(distFolder, 'bin'), { recursive: true });
      const node = join(root, 'node_modules/node/bin/node');
      const fill = (build: string): Promise<void> => copyFile(node, join(build, 'node'));
      // Symbols for debuggers are a quarter of it.
      await withToolchain({ fill, script: 'strip node', result: 'node', target: nodeProgram }, progress);
      await chmod(nodeProgram, 0o755);
    },
  },
  {
    name: 'native module',
    inputs: ['package-lock.json', 'scripts/build.ts'],
    outputs: ['node_modules'],
    async make() {
      // koffi looks for its compiled half beside itself, so it stays a package; only this machine's half is taken.
      await copyModule('koffi', (path) =>
        /^(package\.json|(index|indirect)\.c?js|src\/koffi\/.*\.c?js|LICENSE.*)$/.test(path),
      );
      await copyModule(nativeKoffi, (path) => /^(package\.json|index\.js|linux_\w+\/.*)$/.test(path));
      // What cannot be loaded here could not be loaded in the image either.
      const load = "await import('koffi');";
      await promisify(execFile)(nodeProgram, ['--input-type=module', '--eval', load], { cwd: distFolder });
    },
  },
  {
    name: 'CNI executable',
    // The executable is on its own but for the protocol and the queue (cni/protocol.ts says so).
    inputs: [
      'cni/executable',
      'cni/protocol.ts',
      'cni/queue/entry.ts',
      'scripts/executable.ts',
      'scripts/toolchain.ts',
    ],
    outputs: ['cni'],
    async make(progress) {
      await buildExecutable(join(distFolder, 'cni/berth'), progress);
      await writeFile(join(distFolder, 'cni/NOTICES'), await executableNotices());
    },
  },
  {
    name: 'agent',
    inputs: [...rooms, 'package.json', 'package-lock.json', 'LICENSE', 'scripts/build.ts', 'scripts/sbom.ts'],
    outputs: ['berth.mjs', 'protos', 'page', 'LICENSE', sbomFile],
    make: makeAgent,
  },
  {
    name: 'kubectl-berth',
    inputs: ['agent', 'cni/views.ts', 'kit', 'package.json', 'package-lock.json', 'scripts/plugin.ts'],
    outputs: ['kubectl-berth', 'kubectl_complete-berth'],
    make: makePlugin,
  },
];

/** Makes what is missing or out of date in dist/. Resolves to the hash of everything dist/ is made of. */
export async function build(progress: (line: string) => void): Promise<string> {
  await mkdir(distFolder, { recursive: true });
  const stamps = await readStamps();
  for (const part of parts) {
    const stamp = await hashOf(part.inputs);
    if (stamps[part.name] === stamp) continue;
    progress(`building ${part.name}`);
    await Promise.all(part.outputs.map((each) => rm(join(distFolder, each), { recursive: true, force: true })));
    await part.make(progress);
    stamps[part.name] = stamp;
    await writeFile(stampsFile, JSON.stringify(stamps));
  }
  return createHash('sha256').update(JSON.stringify(stamps)).digest('hex');
}

async function makePlugin(): Promise<void> {
  await buildPlugin(distFolder);
  await promisify(execFile)(nodeProgram, [join(distFolder, 'kubectl-berth'), 'version']);
}

async function makeAgent(): Promise<void> {
  const outfile = join(distFolder, 'berth.mjs');
  const { metafile } = await bundle({
    entryPoints: [join(root, 'agent/main.ts')],
    metafile: true,
    absWorkingDir: root,
    outfile,
    bundle: true,
    platform: 'node',
    format: 'esm',
    target: 'node26',
    external: ['koffi'],
    banner: { js: `#!/usr/bin/env node\n${forOlderModules}` },
    logLevel: 'error',
    legalComments: 'inline',
  });
  const isProto = (path: string): boolean => path.endsWith('.proto');
  await copyFiles(join(root, 'protos'), join(distFolder, 'protos'), isProto);
  await copyFiles(join(root, 'agent/page/assets'), join(distFolder, 'page'), () => true);
  await copyFile(join(root, 'LICENSE'), join(distFolder, 'LICENSE'));
  await writeSbom(Object.keys(metafile.inputs));
  // A bundle that does not even start is not worth an image.
  await promisify(execFile)(nodeProgram, [outfile, 'version']);
}

/** What the files of dist/ are made of besides ours; `bundled` are the files that went into the agent's. */
async function writeSbom(bundled: readonly string[]): Promise<void> {
  const copied = ['node', 'koffi', nativeKoffi].map((name) => `node_modules/${name}`);
  const npm = await Promise.all(
    [...packageFolders(bundled), ...copied].map((folder) => npmComponent(join(root, folder))),
  );
  const debian = debianComponents(await toolchainStatus(), debianRelease);
  const linked = debian.filter(({ name }) => executableParts.includes(name));
  const document = spdxDocument({ name: 'berth', version: manifest.version }, [...npm, ...linked]);
  await writeFile(join(distFolder, sbomFile), `${JSON.stringify(document, null, 1)}\n`);
}

async function copyModule(name: string, wanted: (path: string) => boolean): Promise<void> {
  await copyFiles(join(root, 'node_modules', name), join(distFolder, 'node_modules', name), wanted);
}

async function copyFiles(from: string, to: string, wanted: (path: string) => boolean): Promise<void> {
  for (const path of (await filesBelow(from)).filter(wanted)) {
    await mkdir(dirname(join(to, path)), { recursive: true });
    await cp(join(from, path), join(to, path));
  }
}

async function filesBelow(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => relative(folder, join(entry.parentPath, entry.name)))
    .sort();
}

/** One hash over names and contents; tests do not count, because they are not built. */
async function hashOf(inputs: readonly string[]): Promise<string> {
  const hash = createHash('sha256').update(process.arch);
  for (const input of inputs) {
    const path = join(root, input);
    const files = await filesBelow(path).catch(() => undefined);
    for (const file of files ?? [basename(path)]) {
      if (file.endsWith('.test.ts')) continue;
      const full = files === undefined ? path : join(path, file);
      hash
        .update(`${relative(root, full)}\0`)
        .update(await readFile(full))
        .update('\0');
    }
  }
  return hash.digest('hex');
}

async function readStamps(): Promise<Record<string, string>> {
  try {
    return JSON.parse(await readFile(stampsFile, 'utf8')) as Record<string, string>;
  } catch {
    // No stamps, or half written ones: everything is made anew.
    return {};
  }
}

if (import.meta.main) {
  const began = performance.now();
  await build((line) => process.stderr.write(`${line}\n`));
  const seconds = ((performance.now() - began) / 1_000).toFixed(1);
  process.stderr.write(`dist/ is up to date (${seconds} s): dist/bin/node dist/berth.mjs --help\n`);
}
