/** One run of csi-sanity against a storage service: its arguments, how it ended, and which cases it skipped for which reason. */
import { spawn } from 'node:child_process';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { TestNode } from '../../csi/fake/testnode.ts';

const MiB = 1024 * 1024;

export interface SanityRun {
  /** Of csi-sanity. */
  readonly program: string;
  readonly access: 'mount' | 'block';
  /** Parameters of the StorageClass. */
  readonly parameters: Readonly<Record<string, string>>;
  readonly sizeMiB: number;
  /** Pattern of cases that are not run. */
  readonly skip?: string;
}

export interface SanityResult {
  readonly version: string;
  readonly code: number | null;
  readonly ran: number;
  readonly passed: number;
  /** Cases that skipped themselves, by what they said. */
  readonly skipped: ReadonlyMap<string, number>;
  /** The end of what it printed. */
  readonly output: string;
}

function yamlOf(map: Readonly<Record<string, string>>): string {
  return Object.entries(map)
    .map(([key, value]) => `${key}: ${JSON.stringify(value)}\n`)
    .join('');
}

export async function runSanity(node: TestNode, run: SanityRun): Promise<SanityResult> {
  const file = async (name: string, map: Readonly<Record<string, string>>): Promise<string> => {
    const path = join(node.folder, `${name}.yaml`);
    await writeFile(path, yamlOf(map));
    return path;
  };
  // It makes the last part of these paths itself.
  await mkdir(join(node.kubeletRoot, 'pods'), { recursive: true });
  await mkdir(join(node.kubeletRoot, 'plugins/kubernetes.io'), { recursive: true });
  const bytes = run.sizeMiB * MiB;
  const args = [
    `--csi.endpoint=unix://${node.socket}`,
    `--csi.mountdir=${join(node.kubeletRoot, 'pods/sanity-mount')}`,
    `--csi.stagingdir=${join(node.kubeletRoot, 'plugins/kubernetes.io/sanity-staging')}`,
    `--csi.testvolumesize=${bytes}`,
    `--csi.testvolumeexpandsize=${bytes + 64 * MiB}`,
    `--csi.testvolumeaccesstype=${run.access}`,
    `--csi.testvolumeparameters=${await file('parameters', run.parameters)}`,
    // Its targets are no pods', which no limit could slow; taking limits off is a modification as well.
    `--csi.testvolumemutableparameters=${await file('mutable', { 'iops.write': '0', 'bps.read': 'max' })}`,
    `--csi.testsnapshotparameters=${await file('snapshot', { reserve: 'none' })}`,
    ...(run.skip === undefined ? [] : [`--ginkgo.skip=${run.skip}`]),
    '--ginkgo.v',
    '--ginkgo.no-color',
  ];
  const child = spawn(run.program, args, { stdio: ['ignore', 'pipe', 'pipe'] });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => (output += chunk.toString()));
  const { promise, resolve, reject } = Promise.withResolvers<number | null>();
  child.on('error', reject);
  child.on('close', resolve);
  return readResult(await promise, output);
}

function readResult(code: number | null, output: string): SanityResult {
  const skipped = new Map<string, number>();
  // Each skip is told twice: where, and then why.
  for (const [, reason] of output.matchAll(/\[SKIPPED\] (?!in \[|\[)(.+)/g)) {
    if (reason !== undefined) skipped.set(reason, (skipped.get(reason) ?? 0) + 1);
  }
  return {
    code,
    version: /csi-test\/v5@(v[\d.]+)/.exec(output)?.[1] ?? 'unknown version',
    ran: Number(/Ran (\d+) of \d+ Specs/.exec(output)?.[1] ?? 0),
    passed: Number(/(\d+) Passed/.exec(output)?.[1] ?? 0),
    skipped,
    output: output.slice(-8_000),
  };
}
