/**
 * Limits of a block device for a pod, by cgroup: `io.max` of cgroup v2, `blkio.throttle.*_device` of v1. The two differ in what a
 * limit covers. v2: the group and all below, with what the kernel writes back for them. v1: the processes in that very
 * group only; so each container's group needs it, and the root group, as which the kernel writes back.
 */
import { readFileSync } from 'node:fs';
import { open, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { BerthError, errnoOf } from '../kit/errors.ts';
import { groupsIn, PodCgroups } from './podcgroup.ts';

const kinds = ['rbps', 'wbps', 'riops', 'wiops'] as const;

/** Bytes and operations per second, read and written; undefined: no limit. */
export type BlockLimits = { readonly [Kind in (typeof kinds)[number]]?: bigint | undefined };

/** Which cgroups limit block devices here, or the reason why none does, as a part of a sentence. */
export type LimitSupport = { readonly version: 1 | 2 } | { readonly missing: string };

export interface BlockCgroups {
  support(): Promise<LimitSupport>;
  /** The pod's group, or undefined when the kubelet has made none yet, or removed it. */
  podGroup(uid: string): Promise<string | undefined>;
  /** Where pods were looked for, for people. */
  podPlaces(): Promise<string>;
  /** The groups a limit of the pod has to be in: v2 its own, v1 those of its containers that exist now. */
  groupsOf(podGroup: string): Promise<readonly string[]>;
  /** The group as which the kernel writes back what pods have written; undefined where it does so as the pod (v2). */
  writeBackGroup(): Promise<string | undefined>;
  /** The device's limits in the group. Throws ENOENT when the group has gone. */
  read(group: string, device: string): Promise<BlockLimits>;
  /**
   * Gives the device these limits in the group, and no others. `device` is `major:minor`. Nothing is written that is so already.
   * Throws ENOENT when the group has gone, ENODEV when the device has, FAILED_PRECONDITION when the group has no such limits.
   */
  set(group: string, device: string, limits: BlockLimits): Promise<void>;
}

/** Writes to a file of a hierarchy that exists: one line, in one call. */
export type WriteGroupFile = (path: string, line: string) => Promise<void>;

/** Never creates: cgroup folders take no files, and in a folder that is none it would leave one. */
async function writeExisting(path: string, line: string): Promise<void> {
  const file = await open(path, 'r+');
  try {
    await file.write(line, 0);
  } finally {
    await file.close();
  }
}

/** The files of v1, one for each kind; 0 takes a limit off. */
const v1Files: Readonly<Record<(typeof kinds)[number], string>> = {
  rbps: 'blkio.throttle.read_bps_device',
  wbps: 'blkio.throttle.write_bps_device',
  riops: 'blkio.throttle.read_iops_device',
  wiops: 'blkio.throttle.write_iops_device',
};
const v2File = 'io.max';

/** Containers may have groups of their own inside; who can make more than these can leave them, too. */
const depthOfContainers = 4;

/** On this thread: the kernel answers from memory, sooner than one way through the thread pool takes. */
function readKernelFile(path: string): string {
  return readFileSync(path, 'utf8');
}

function lineOf(text: string, device: string): readonly string[] | undefined {
  const line = text.split('\n').find((each) => each.startsWith(`${device} `));
  return line?.trim().split(' ').slice(1);
}

function numberOf(text: string | undefined): bigint | undefined {
  return text !== undefined && /^[1-9]\d{0,19}$/.test(text) ? BigInt(text) : undefined;
}

async function exists(path: string): Promise<boolean> {
  return (await stat(path).catch(() => undefined)) !== undefined;
}

/** Where the hierarchy with the block devices is, or why there is none. */
async function locate(root: string): Promise<{ readonly version: 1 | 2; readonly base: string } | { missing: string }> {
  if (await exists(join(root, 'cgroup.controllers'))) {
    const controllers = (await readFile(join(root, 'cgroup.controllers'), 'utf8')).trim().split(' ');
    return controllers.includes('io')
      ? { version: 2, base: root }
      : { missing: `the controller "io" is missing in ${root}/cgroup.controllers` };
  }
  // Beside a v1 hierarchy for block devices a v2 tree (`unified`) has none: a controller is in one hierarchy only.
  const base = join(root, 'blkio');
  if (await exists(join(base, v1Files.rbps))) return { version: 1, base };
  return { missing: `${root} has neither cgroup v2 nor the v1 hierarchy "blkio" with throttling` };
}

async function below(folder: string, depth: number): Promise<readonly string[]> {
  if (depth === 0) return [];
  const children = await groupsIn(folder);
  const further = await Promise.all(children.map((child) => below(child, depth - 1)));
  return [...children, ...further.flat()];
}

/** The groups below `root`, where the node's cgroups are mounted. `write` is for tests. */
export function blockCgroups(root = '/sys/fs/cgroup', write: WriteGroupFile = writeExisting): BlockCgroups {
  let found: { readonly version: 1 | 2; readonly base: string; readonly pods: PodCgroups } | undefined;
  const here = async (): Promise<NonNullable<typeof found> | { readonly missing: string }> => {
    if (found !== undefined) return found;
    const located = await locate(root);
    if ('missing' in located) return located;
    return (found = { ...located, pods: new PodCgroups(located.base) });
  };

  const read = async (group: string, device: string): Promise<BlockLimits> => {
    const at = await here();
    if ('missing' in at) return {};
    if (at.version === 1) {
      return Object.fromEntries(
        kinds.map((kind) => [kind, numberOf(lineOf(readKernelFile(join(group, v1Files[kind])), device)?.[0])]),
      );
    }
    const words = lineOf(readKernelFile(join(group, v2File)), device) ?? [];
    const pairs = new Map(words.map((word) => [word.split('=')[0], word.split('=')[1]]));
    return Object.fromEntries(kinds.map((kind) => [kind, numberOf(pairs.get(kind))]));
  };

  const set = async (group: string, device: string, limits: BlockLimits): Promise<void> => {
    const at = await here();
    if ('missing' in at) throw unlimited(at.missing);
    const now = await read(group, device);
    const other = kinds.filter((kind) => now[kind] !== limits[kind]);
    if (other.length === 0) return;
    if (at.version === 1) {
      for (const kind of other) await write(join(group, v1Files[kind]), `${device} ${limits[kind] ?? 0n}`);
      return;
    }
    const words = kinds.map((kind) => `${kind}=${limits[kind] ?? 'max'}`);
    await write(join(group, v2File), `${device} ${words.join(' ')}`);
  };

  /** In a group that is there, a missing file says that its limits are. */
  const explained = async <T>(group: string, work: Promise<T>): Promise<T> => {
    try {
      return await work;
    } catch (error) {
      if (errnoOf(error) !== 'ENOENT' || !(await exists(group))) throw error;
      throw unlimited('the controller for block devices is not passed on to the groups of pods');
    }
  };

  return {
    async support() {
      const at = await here();
      return 'missing' in at ? at : { version: at.version };
    },
    async podGroup(uid) {
      const at = await here();
      return 'missing' in at ? undefined : await at.pods.find(uid);
    },
    async podPlaces() {
      const at = await here();
      return 'missing' in at ? 'nowhere' : await at.pods.places();
    },
    async groupsOf(podGroup) {
      const at = await here();
      if ('missing' in at) return [];
      return at.version === 2 ? [podGroup] : await below(podGroup, depthOfContainers);
    },
    async writeBackGroup() {
      const at = await here();
      return 'missing' in at || at.version === 2 ? undefined : at.base;
    },
    read: (group, device) => explained(group, read(group, device)),
    set: (group, device, limits) => explained(group, set(group, device, limits)),
  };
}

function unlimited(missing: string): BerthError {
  return new BerthError('FAILED_PRECONDITION', `this node cannot limit I/O: ${missing}`);
}
