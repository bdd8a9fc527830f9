/** The cgroup folders of a cluster, for cgroup v1 (one folder in each hierarchy) and v2 (one folder). */
import { existsSync, mkdirSync, readdirSync, readFileSync, rmdirSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { errnoOf } from '../kit/errors.ts';

const mountPoint = '/sys/fs/cgroup';

/** The hierarchies in use: the v2 root, or the v1 controllers. A v2 tree beside v1 without controllers is left alone. */
function hierarchies(): string[] {
  if (existsSync(join(mountPoint, 'cgroup.controllers'))) return [mountPoint];
  return readdirSync(mountPoint)
    .map((name) => join(mountPoint, name))
    .filter((folder) => existsSync(join(folder, 'cgroup.procs')) && !existsSync(join(folder, 'cgroup.controllers')));
}

/** Makes `path` (relative, like `berth-cluster.test/node-1`) in every hierarchy. */
export function createCgroup(path: string): void {
  for (const hierarchy of hierarchies()) {
    let parent = hierarchy;
    for (const part of path.split('/')) {
      const folder = join(parent, part);
      mkdirSync(folder, { recursive: true });
      if (hierarchy === mountPoint) delegateControllers(parent);
      inheritCpuset(parent, folder);
      parent = folder;
    }
    if (hierarchy === mountPoint) delegateControllers(parent);
  }
}

/** cgroup v2: children get a controller only where their parent passes it on. */
function delegateControllers(folder: string): void {
  for (const controller of readFileSync(join(folder, 'cgroup.controllers'), 'utf8').trim().split(' ')) {
    try {
      if (controller !== '') writeFileSync(join(folder, 'cgroup.subtree_control'), `+${controller}`);
    } catch {
      // Some controllers cannot be delegated everywhere; kubelet names those it misses.
    }
  }
}

/** cgroup v1: a new cpuset folder is empty and takes no process until it has CPUs and memory nodes. */
function inheritCpuset(parent: string, folder: string): void {
  for (const file of ['cpuset.cpus', 'cpuset.mems']) {
    if (!existsSync(join(parent, file)) || existsSync(join(mountPoint, 'cgroup.controllers'))) continue;
    if (readFileSync(join(folder, file), 'utf8').trim() !== '') continue;
    writeFileSync(join(folder, file), readFileSync(join(parent, file), 'utf8'));
  }
}

/** Removes `path` and all below it from every hierarchy. Its processes must be gone; the kernel may need a moment to see that. */
export async function removeCgroup(path: string): Promise<void> {
  // Beside v1 hierarchies, runc also makes the folder in the v2 tree.
  for (const hierarchy of [mountPoint, ...readdirSync(mountPoint).map((name) => join(mountPoint, name))]) {
    for (const folder of subfolders(join(hierarchy, path))) await removeFolder(folder);
  }
}

/** A folder and all below it, children before parents. */
function subfolders(folder: string): string[] {
  if (!existsSync(folder)) return [];
  const children = readdirSync(folder)
    .map((name) => join(folder, name))
    .filter((child) => statSync(child, { throwIfNoEntry: false })?.isDirectory() === true);
  return [...children.flatMap(subfolders), folder];
}

async function removeFolder(folder: string): Promise<void> {
  for (let attempt = 0; ; attempt += 1) {
    try {
      rmdirSync(folder);
      return;
    } catch (error) {
      const code = errnoOf(error);
      if (code === 'ENOENT') return;
      // EBUSY: a killed process is still on its way out of the group.
      if (code !== 'EBUSY' || attempt > 100) throw error;
      await setTimeout(20);
    }
  }
}
