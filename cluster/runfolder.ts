/** The folder of one cluster's run: where things lie in it, whose it is, and how all of it is removed. */
import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import { rm, statfs } from 'node:fs/promises';
import { join } from 'node:path';
import { writeFileAtomic } from '../kit/durablefile.ts';
import { BerthError } from '../kit/errors.ts';
import { removeCgroup } from './cgroup.ts';
import { runChecked } from './command.ts';
import type { NodeDisk } from './disks.ts';
import { detachLoops } from './loops.ts';
import { destroyNamespaces } from './namespace.ts';
import type { Namespaces } from './namespace.ts';
import { identify, isAlive, processesWithEnvironment } from './processes.ts';
import type { ProcessId } from './processes.ts';

/** Disk-backed on every Debian, and short. */
const defaultParent = '/var/tmp/berth-cluster';

/** A folder or file of this machine that every node sees at `target`. */
export interface NodeMount {
  readonly source: string;
  readonly target: string;
  readonly readOnly?: boolean;
}

export interface NodeState {
  readonly index: number;
  /** Behind the router. */
  readonly far: boolean;
  readonly namespaces: Namespaces;
}

/** What a process that did not start the cluster needs to know. */
export interface RunState {
  readonly lan: Namespaces;
  readonly nodes: readonly NodeState[];
  /** Image archives that have been loaded into every node. */
  readonly archives: readonly string[];
  readonly kubeProxy: boolean;
  readonly mounts: readonly NodeMount[];
  readonly disks: readonly NodeDisk[];
  /** Port on the machine's loopback that leads to the API server. */
  readonly apiPort: number;
}

export interface RunFolder {
  readonly name: string;
  readonly path: string;
  readonly pki: string;
  readonly programs: string;
  readonly kubeconfig: string;
  /** Cgroup path of the cluster, relative to the hierarchies' roots. */
  readonly cgroup: string;
  nodeRoot(nodeName: string): string;
  logs(nodeName: string): string;
}

/** The places of a run, whether it exists or not. Errors: INVALID_ARGUMENT for a name that is no file name. */
export function runFolder(name: string, parent: string = defaultParent): RunFolder {
  if (!/^[a-z0-9][a-z0-9-]{0,30}$/.test(name)) {
    const rule = 'up to 31 lower-case letters, digits and hyphens';
    throw new BerthError('INVALID_ARGUMENT', `cluster name "${name}" cannot be used: it must be ${rule}`);
  }
  const path = join(parent, name);
  return {
    name,
    path,
    pki: join(path, 'pki'),
    programs: join(path, 'bin'),
    kubeconfig: join(path, 'kubeconfig'),
    cgroup: `berth-cluster.${name}`,
    nodeRoot: (nodeName) => join(path, 'nodes', nodeName),
    logs: (nodeName) => join(path, 'logs', nodeName),
  };
}

/** The variable that marks a run's first processes, so that they are found even if no state was written. */
export const runVariable = 'BERTH_CLUSTER_RUN';

/** The state of a run, or undefined if there is none. */
export function readState(folder: RunFolder): RunState | undefined {
  const path = join(folder.path, 'state.json');
  return existsSync(path) ? (JSON.parse(readFileSync(path, 'utf8')) as RunState) : undefined;
}

export async function writeState(folder: RunFolder, state: RunState): Promise<void> {
  await writeFileAtomic(join(folder.path, 'state.json'), JSON.stringify(state), { sync: false });
}

/** Whether somebody uses this run: who brought it up lives, or has let go of it and its processes live. */
export function isInUse(folder: RunFolder): boolean {
  const claim = readClaim(folder);
  if (claim !== undefined) return isAlive(claim);
  const state = readState(folder);
  return state !== undefined && isAlive(state.lan.init);
}

/** Makes the folder and claims it for this process. Errors: ALREADY_EXISTS, FAILED_PRECONDITION on overlayfs. */
export async function claimRunFolder(folder: RunFolder): Promise<void> {
  mkdirSync(folder.path, { recursive: true, mode: 0o700 });
  const overlay = 0x794c7630;
  if ((await statfs(folder.path)).type === overlay) {
    await removeFolder(folder);
    const reason = 'containers cannot have their overlay on another one';
    throw new BerthError(
      'FAILED_PRECONDITION',
      `${folder.path} lies on overlayfs, and ${reason}: choose another folder`,
    );
  }
  const own = identify(process.pid);
  await writeFileAtomic(join(folder.path, 'claim.json'), JSON.stringify(own), { sync: false });
}

/** Who is bringing it up, or did. */
function readClaim(folder: RunFolder): ProcessId | undefined {
  const path = join(folder.path, 'claim.json');
  return existsSync(path) ? (JSON.parse(readFileSync(path, 'utf8')) as ProcessId) : undefined;
}

/** Lets the cluster outlive this process. */
export async function releaseClaim(folder: RunFolder): Promise<void> {
  await rm(join(folder.path, 'claim.json'), { force: true });
}

/**
 * Removes everything of a run, complete or not, ours or a killed process's: processes (and with them links and mounts), loop
 * devices, cgroups, files. Does nothing if there is nothing.
 */
export async function removeRun(folder: RunFolder): Promise<void> {
  const marked = processesWithEnvironment(`${runVariable}=${folder.path}`);
  // All at once: a node's kubelet waits for nobody.
  await Promise.all(marked.map((init) => destroyNamespaces(init)));
  await removeCgroup(folder.cgroup);
  if (!existsSync(folder.path)) return;
  await detachLoops(folder.path);
  await removeFolder(folder);
}

async function removeFolder(folder: RunFolder): Promise<void> {
  await runChecked('rm', ['-rf', '--one-file-system', folder.path]);
  // The parent goes with its last run; it may hold others.
  await runChecked('rmdir', ['--ignore-fail-on-non-empty', join(folder.path, '..')]);
}
