/** The limit of memory of this process's cgroup, v2 or v1, as far as it can be seen. */
import { join } from 'node:path';
import { exists, readNumber, readText } from '../reading.ts';
import type { Roots } from '../roots.ts';

interface MemoryLimit {
  readonly bytes: number;
  readonly used: number;
  /** Processes of the group that the kernel has ended (memory.events). */
  readonly kills: number;
  readonly from: string;
}

/** Above this a v1 group has no limit: it says the largest number of pages. */
const unlimited = 2 ** 60;

/** Undefined where there is no limit, or the group is not to be seen from here. */
export async function memoryLimit({ proc, sys }: Pick<Roots, 'proc' | 'sys'>): Promise<MemoryLimit | undefined> {
  const groups = (await readText(join(proc, 'self/cgroup'))) ?? '';
  const v1 = /^\d+:memory:(\/.*)$/m.exec(groups)?.[1];
  const path = v1 ?? /^0::(\/.*)$/m.exec(groups)?.[1];
  // Within a namespace of cgroups the path is that of the namespace, and ".." leads out of what is mounted.
  if (path === undefined || path.includes('..')) return undefined;
  const root = v1 === undefined ? join(sys, 'fs/cgroup') : join(sys, 'fs/cgroup/memory');
  const [limit, usage] =
    v1 === undefined ? ['memory.max', 'memory.current'] : ['memory.limit_in_bytes', 'memory.usage_in_bytes'];
  // A container of v1 is told the node's path, and its own group is mounted where the node has the root.
  const folder = (await exists(join(root, path))) ? join(root, path) : root;
  const bytes = await readNumber(join(folder, limit));
  if (bytes === undefined || bytes >= unlimited) return undefined;
  const events = (await readText(join(folder, v1 === undefined ? 'memory.events' : 'memory.oom_control'))) ?? '';
  return {
    bytes,
    used: (await readNumber(join(folder, usage))) ?? 0,
    kills: Number(/^oom_kill (\d+)$/m.exec(events)?.[1] ?? 0),
    from: folder,
  };
}
