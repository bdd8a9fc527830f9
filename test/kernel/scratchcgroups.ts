/** A kubelet's folder for pods in the real cgroup hierarchy, below a cgroup root of its own, for tests without a kubelet. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { access, mkdir, readdir, rmdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

const mountPoint = '/sys/fs/cgroup';

export interface ScratchCgroups {
  readonly version: 1 | 2;
  /** Makes a group below the kubelet's folder, such as `burstable/pod…/container`, and those above it; returns its folder. */
  readonly add: (path: string) => Promise<string>;
  /** Removes a group, by its folder or its path below the kubelet's folder, and all below it. */
  readonly remove: (path: string) => Promise<void>;
  /** Runs a program in a group; resolves with its standard output when it has ended well. */
  readonly run: (group: string, program: readonly [string, ...string[]]) => Promise<string>;
  readonly close: () => Promise<void>;
}

async function exists(path: string): Promise<boolean> {
  return await access(path).then(
    () => true,
    () => false,
  );
}

async function removeTree(folder: string): Promise<void> {
  for (const entry of await readdir(folder, { withFileTypes: true }).catch(() => []))
    if (entry.isDirectory()) await removeTree(join(folder, entry.name));
  await rmdir(folder).catch(() => undefined);
}

/** Undefined where the kernel limits no block devices, or this process may not make groups. */
export async function makeScratchCgroups(): Promise<ScratchCgroups | undefined> {
  const version = (await exists(join(mountPoint, 'cgroup.controllers'))) ? 2 : 1;
  const hierarchy = version === 2 ? mountPoint : join(mountPoint, 'blkio');
  const own = join(hierarchy, `berth-test.${crypto.randomUUID().slice(0, 8)}`);
  const pass = async (folder: string): Promise<void> => {
    if (version === 2) await writeFile(join(folder, 'cgroup.subtree_control'), '+io +memory');
  };
  try {
    await pass(hierarchy);
    for (const folder of [own, join(own, 'kubepods')]) {
      await mkdir(folder);
      await pass(folder);
    }
    await access(join(own, 'kubepods', version === 2 ? 'io.max' : 'blkio.throttle.read_bps_device'));
  } catch {
    await removeTree(own);
    return undefined;
  }
  return {
    version,
    add: async (path) => {
      let folder = join(own, 'kubepods');
      for (const part of path.split('/')) {
        await pass(folder);
        folder = join(folder, part);
        await mkdir(folder, { recursive: true });
      }
      return folder;
    },
    remove: (path) => removeTree(path.startsWith('/') ? path : join(own, 'kubepods', path)),
    run: async (group, program) => {
      // The shell moves itself into the group and becomes the program, so that nothing of it runs elsewhere.
      const line = 'echo $$ > "$0/cgroup.procs" && exec "$@"';
      const child = spawn('sh', ['-c', line, group, ...program], { stdio: ['ignore', 'pipe', 'pipe'] });
      const said = { out: '', err: '' };
      child.stdout.on('data', (chunk: Buffer) => (said.out += chunk.toString()));
      child.stderr.on('data', (chunk: Buffer) => (said.err += chunk.toString()));
      const [code] = (await once(child, 'close')) as [number | null];
      if (code !== 0) throw new Error(`${program[0]} ended with ${code}: ${said.err}`);
      return said.out;
    },
    close: () => removeTree(own),
  };
}
