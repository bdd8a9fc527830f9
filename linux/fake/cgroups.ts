/**
 * A cgroup hierarchy in a temporary folder: real folders with the kernel's files, whose writes are interpreted as the kernel does.
 * Held to the real one by `blockcgroupcontract.ts`.
 */
import { mkdtemp, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, dirname, join, relative } from 'node:path';
import { SystemCallError } from '../libc.ts';

const [EINVAL, ENODEV, ERANGE] = [22, 19, 34];
const v1Files = ['read_bps', 'write_bps', 'read_iops', 'write_iops'].map((kind) => `blkio.throttle.${kind}_device`);

export class FakeCgroups {
  /** What is /sys/fs/cgroup elsewhere. */
  readonly root: string;
  readonly version: 1 | 2;
  /** Devices the kernel knows, as `major:minor`. */
  readonly devices = new Set<string>(['7:1']);

  private constructor(root: string, version: 1 | 2) {
    this.root = root;
    this.version = version;
  }

  static async make(version: 1 | 2): Promise<FakeCgroups> {
    const fake = new FakeCgroups(await mkdtemp(join(tmpdir(), 'bn-cg-')), version);
    if (version === 2) await writeFile(join(fake.root, 'cgroup.controllers'), 'cpuset cpu io memory pids\n');
    else await fake.#makeGroup(join(fake.root, 'blkio'));
    return fake;
  }

  async close(): Promise<void> {
    await rm(this.root, { recursive: true, force: true });
  }

  /** The hierarchy that has the block devices. */
  get hierarchy(): string {
    return this.version === 2 ? this.root : join(this.root, 'blkio');
  }

  /** Makes a group and those above it; returns its folder. */
  async add(path: string): Promise<string> {
    let folder = this.hierarchy;
    for (const part of path.split('/')) {
      folder = join(folder, part);
      await this.#makeGroup(folder);
    }
    return folder;
  }

  async remove(path: string): Promise<void> {
    // Out of sight at once, as in the kernel: others may write meanwhile.
    const gone = join(await mkdtemp(join(this.root, '.gone-')), 'group');
    await rename(join(this.hierarchy, path), gone);
    await rm(dirname(gone), { recursive: true });
  }

  /** As in the kernel, a group appears with its files. */
  async #makeGroup(folder: string): Promise<void> {
    const fresh = await mkdtemp(join(this.root, '.new-'));
    const files = this.version === 2 ? ['io.max'] : v1Files;
    for (const file of files) await writeFile(join(fresh, file), '');
    // A group that is there already keeps what is in it.
    await rename(fresh, folder).catch(() => rm(fresh, { recursive: true }));
  }

  /** All limits there are, by group relative to the hierarchy (`.` is its root) and file. */
  async dump(): Promise<Readonly<Record<string, string>>> {
    const found: Record<string, string> = {};
    const visit = async (folder: string): Promise<void> => {
      for (const entry of await readdir(folder, { withFileTypes: true })) {
        const path = join(folder, entry.name);
        if (entry.isDirectory()) await visit(path);
        else if (entry.name === 'io.max' || entry.name.startsWith('blkio.')) {
          const text = (await readFile(path, 'utf8')).trim();
          const group = relative(this.hierarchy, folder);
          if (text !== '') found[`${group === '' ? '.' : group} ${entry.name.replace('blkio.throttle.', '')}`] = text;
        }
      }
    };
    await visit(this.hierarchy);
    return found;
  }

  /** What the kernel makes of a line that is written to a file of a group. */
  readonly write = async (path: string, line: string): Promise<void> => {
    const lines = (await readFile(path, 'utf8')).split('\n').filter((each) => each !== '');
    const [device = '', ...words] = line.trim().split(' ');
    if (!this.devices.has(device)) throw new SystemCallError('write', ENODEV, relative(this.root, path));
    const others = lines.filter((each) => !each.startsWith(`${device} `));
    const before = lines.find((each) => each.startsWith(`${device} `));
    const now = this.version === 2 ? merge(before, words, path) : single(words, path);
    const kept = now === undefined ? others : [...others, `${device} ${now}`];
    // In one step, as in the kernel: others may read meanwhile.
    const next = await mkdtemp(join(this.root, '.new-'));
    await writeFile(join(next, 'file'), kept.map((each) => `${each}\n`).join(''));
    await rename(join(next, 'file'), path);
    await rm(next, { recursive: true });
  };
}

function single([value = '']: readonly string[], path: string): string | undefined {
  if (!/^\d+$/.test(value)) throw new SystemCallError('write', EINVAL, basename(dirname(path)));
  return value === '0' ? undefined : value;
}

function merge(before: string | undefined, words: readonly string[], path: string): string | undefined {
  const values: Record<string, string> = { rbps: 'max', wbps: 'max', riops: 'max', wiops: 'max' };
  for (const word of [...(before?.split(' ').slice(1) ?? []), ...words]) {
    const [, key, value] = /^(rbps|wbps|riops|wiops)=(max|\d+)$/.exec(word) ?? [];
    if (key === undefined || value === undefined) throw new SystemCallError('write', EINVAL, basename(dirname(path)));
    if (value === '0') throw new SystemCallError('write', ERANGE, basename(dirname(path)));
    values[key] = value;
  }
  if (Object.values(values).every((value) => value === 'max')) return undefined;
  return Object.entries(values)
    .map(([key, value]) => `${key}=${value}`)
    .join(' ');
}
