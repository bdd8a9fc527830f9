// The real csi-sanity against the storage service, for each kind of volume on each kind of pool.
import { spawn } from 'node:child_process';
import { readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { ensurePrograms } from '../../cluster/build.ts';
import { TestNode } from '../../csi/fake/testnode.ts';
import { kernelLoopDevices } from '../../linux/loop.ts';
import { makeScratchPool } from '../kernel/scratchpool.ts';
import { makeSharedFolder } from '../kernel/sharedfolder.ts';
import type { SharedFolder } from '../kernel/sharedfolder.ts';

const MiB = 1024 * 1024;
let program = '';
let shared: SharedFolder;

beforeAll(async () => {
  program = (await ensurePrograms(['csi-sanity']))['csi-sanity'];
  shared = await makeSharedFolder();
});
afterAll(async () => {
  await shared.close();
});

interface Run {
  readonly output: string;
  readonly code: number | null;
}

async function run(args: readonly string[]): Promise<Run> {
  const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'] });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => (output += chunk.toString()));
  const { promise, resolve, reject } = Promise.withResolvers<number | null>();
  child.on('error', reject);
  child.on('close', resolve);
  const code = await promise;
  return { output, code };
}

/** `Ran 44 of 103 Specs: 44 Passed | …`, and the reasons of the skipped ones with their number. */
function summaryOf(output: string): string {
  const ran = /Ran \d+ of \d+ Specs/.exec(output)?.[0] ?? 'no summary';
  const counts = /\d+ Passed.*Skipped/.exec(output)?.[0] ?? '';
  const version = /csi-test\/v5@(v[\d.]+)/.exec(output)?.[1] ?? 'unknown version';
  const reasons = new Map<string, number>();
  // Each skip is told twice: where, and then why.
  for (const [, reason] of output.matchAll(/\[SKIPPED\] (?!in \[|\[)(.+)/g)) {
    if (reason !== undefined) reasons.set(reason, (reasons.get(reason) ?? 0) + 1);
  }
  return [`${version}, ${ran}: ${counts}`, ...[...reasons].map(([reason, count]) => `  ${count} × ${reason}`)].join(
    '\n',
  );
}

test.each([
  ['xfs', 'xfs'],
  ['ext4', 'xfs'],
  ['block', 'xfs'],
  ['xfs', 'ext4'],
  ['ext4', 'ext4'],
  ['block', 'ext4'],
] as const)('%s volumes on a %s pool', async (kind, poolType) => {
  const pool = await makeScratchPool(poolType, 8192 * MiB);
  const node = await TestNode.make({ base: shared.path, pool: join(pool.path, 'berth') });
  try {
    await node.start();
    const parameters = join(node.folder, 'parameters.yaml');
    await writeFile(parameters, kind === 'block' ? 'pool: default\n' : `csi.storage.k8s.io/fstype: ${kind}\n`);
    // Its targets are no pods', which no limit could slow; taking limits off is a modification as well.
    const mutable = join(node.folder, 'mutable.yaml');
    await writeFile(mutable, 'iops.write: "0"\nbps.read: max\n');
    await node.stagingPath('any');
    await node.targetPath('any');
    const { output, code } = await run([
      `--csi.endpoint=unix://${node.socket}`,
      `--csi.mountdir=${join(node.kubeletRoot, 'pods', 'sanity-mount')}`,
      `--csi.stagingdir=${join(node.kubeletRoot, 'plugins/kubernetes.io', 'sanity-staging')}`,
      `--csi.testvolumesize=${kind === 'ext4' ? 64 * MiB : 320 * MiB}`,
      `--csi.testvolumeparameters=${parameters}`,
      `--csi.testvolumemutableparameters=${mutable}`,
      `--csi.testvolumeaccesstype=${kind === 'block' ? 'block' : 'mount'}`,
      '--ginkgo.v',
      '--ginkgo.no-color',
    ]);
    process.stdout.write(`csi-sanity, ${kind} volumes on ${poolType}: ${summaryOf(output)}\n`);
    expect(code, output.slice(-8_000)).toBe(0);
    await node.stop();
    expect(await leftovers(pool.path)).toEqual([]);
  } finally {
    await node.close();
    await pool.close();
  }
});

/** Images that are still in the pool, with the device each is attached to. */
async function leftovers(pool: string): Promise<string[]> {
  const images = await readdir(join(pool, 'berth', 'images'));
  const loops = kernelLoopDevices();
  return await Promise.all(
    images.map(async (image) => `${image} ${(await loops.find(join(pool, 'berth', 'images', image)))?.path ?? ''}`),
  );
}
