/** Loop devices that are backed by files of a folder: what a killed node leaves behind in the shared kernel. */
import { readdirSync, statSync } from 'node:fs';
import { run, runChecked } from './command.ts';
import { waitFor } from './wait.ts';

export interface LoopDevice {
  /** `/dev/loop3` */
  readonly name: string;
  readonly inode: number;
  /** `major:minor` of the filesystem that holds the backing file. */
  readonly device: string;
  /** It goes by itself when nobody uses it any more. */
  readonly autoclear: boolean;
}

/** A file by the filesystem and inode that hold it, as a key. */
const fileKey = (device: string, inode: number): string => `${device} ${inode}`;

/**
 * The loop devices whose file is one of `files`, and those on top of them: with their file on a filesystem in such a loop
 * device, or with such a loop device (a node of /dev, listed in `nodes`) as their file, as kubelet makes them for raw block
 * volumes. In the order in which they can be detached: the topmost first.
 */
export function ownedLoops(
  loops: readonly LoopDevice[],
  files: ReadonlySet<string>,
  nodes: ReadonlyMap<string, string>,
): LoopDevice[] {
  const owned = loops.filter((loop) => files.has(fileKey(loop.device, loop.inode)));
  for (;;) {
    const names = new Set(owned.map((loop) => loop.name));
    const stacked = loops.filter((loop) => {
      if (owned.includes(loop)) return false;
      const below = nodes.get(fileKey(loop.device, loop.inode)) ?? `/dev/loop${loop.device.replace(/^7:/, '')}`;
      return names.has(below);
    });
    if (stacked.length === 0) return owned.toReversed();
    owned.push(...stacked);
  }
}

/**
 * Detaches every loop device of files below a folder, and returns when they are gone: one under a filesystem goes when that
 * has been unmounted, which the kernel does after the processes of its namespace have ended. Errors: TIMED_OUT.
 */
export async function detachLoops(folder: string): Promise<void> {
  if ((await listLoops()).length === 0) return;
  const device = formatDevice(statSync(folder).dev);
  const found = await run('find', [folder, '-xdev', '-type', 'f', '-printf', '%i\\n']);
  const files = new Set(found.stdout.split('\n').map((inode) => fileKey(device, Number(inode))));
  let left: readonly LoopDevice[] = [];
  await waitFor(
    `the loop devices on files of ${folder} to go`,
    async () => {
      left = ownedLoops(await listLoops(), files, loopNodes());
      // By its name only where needed: the next one of the name may be somebody else's.
      for (const loop of left) if (!loop.autoclear) await run('losetup', ['--detach', loop.name]);
      return left.length === 0 ? true : undefined;
    },
    { timeoutMs: 30_000, describe: () => `in use are ${left.map(({ name }) => name).join(', ')}` },
  );
}

async function listLoops(): Promise<LoopDevice[]> {
  return parseLoops(
    await runChecked('losetup', ['--list', '--json', '--output', 'NAME,BACK-INO,BACK-MAJ:MIN,AUTOCLEAR']),
  );
}

/** The nodes of loop devices in /dev by what they are as files. */
function loopNodes(): ReadonlyMap<string, string> {
  return new Map(
    readdirSync('/dev')
      .filter((name) => /^loop\d+$/.test(name))
      .map((name) => {
        const { dev, ino } = statSync(`/dev/${name}`);
        return [fileKey(formatDevice(dev), ino), `/dev/${name}`];
      }),
  );
}

/** Reads what `losetup --list --json` prints; nothing at all when there is no loop device. */
export function parseLoops(listing: string): LoopDevice[] {
  if (listing.trim() === '') return [];
  const { loopdevices } = JSON.parse(listing) as { readonly loopdevices: readonly Record<string, unknown>[] };
  return loopdevices.map((entry) => ({
    name: String(entry['name']),
    inode: Number(entry['back-ino']),
    device: String(entry['back-maj:min']).trim(),
    autoclear: entry['autoclear'] === true,
  }));
}

/** st_dev as `major:minor`: 12 bits of major between 8 and 12 bits of minor. */
function formatDevice(dev: number): string {
  return `${(dev >> 8) & 0xfff}:${(dev & 0xff) | ((dev >> 12) & 0xfff00)}`;
}
