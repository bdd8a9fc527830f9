/** A real Kubernetes of one or more nodes on this machine: up, use, restart, down. The door of this room. */
import { copyFileSync, existsSync, linkSync, mkdirSync, symlinkSync } from 'node:fs';
import { basename, join } from 'node:path';
import { BerthError, errnoOf } from '../kit/errors.ts';
import { forwardApiServer, kubectlPath, writeKubectl } from './access.ts';
import { maxNodes, nodeLinks, secondLink } from './addresses.ts';
import type { Link } from './addresses.ts';
import { apiServer } from './api.ts';
import { ensurePrograms } from './build.ts';
import { cacheFolder } from './cache.ts';
import { run } from './command.ts';
import type { CommandOptions, CommandResult } from './command.ts';
import { dnsManifest } from './dns.ts';
import { withLockFile } from './lockfile.ts';
import { ensureImages } from './namedimages.ts';
import type { ImageName } from './namedimages.ts';
import { createSwitch } from './network.ts';
import { managedNode } from './node.ts';
import type { ClusterNode, ManagedNode } from './node.ts';
import { createPki } from './pki.ts';
import { checkMachine } from './preflight.ts';
import { isAlive } from './processes.ts';
import { kubernetesNames, nodePrograms } from './programs.ts';
import { checkKubectl, waitForApiServer, waitForNodes } from './readiness.ts';
import {
  claimRunFolder,
  isInUse,
  readState,
  releaseClaim,
  removeRun,
  runFolder,
  runVariable,
  writeState,
} from './runfolder.ts';
import type { NodeMount, RunFolder, RunState } from './runfolder.ts';

/** A real Kubernetes of one or more nodes on this machine: up, use, restart, down. The door of this room. */
export interface ClusterOptions {
  readonly name: string;
  /** Default 1. The first has the control plane and takes pods too. */
  readonly nodes?: number;
  /** How many of them, the last ones, are on a link of their own behind a router. Default 0. */
  readonly far?: number;
  /** CoreDNS under the address that every pod is given as its name server. Default false. */
  readonly dns?: boolean;
  /** Services by kube-proxy. Default true. */
  readonly kubeProxy?: boolean;
  /** Images to build and load into every node; the pause image always is. */
  readonly images?: readonly ImageName[];
  /** Folders of this machine that every node sees. */
  readonly mounts?: readonly NodeMount[];
  /** Folder for the runs' folders, on a disk and not on overlayfs. Default /var/tmp/berth-cluster. */
  readonly dir?: string;
  /** The cluster stays when this process ends. Default false: then the next `up` of this name removes it. */
  readonly detached?: boolean;
  /** Told what is being done, one sentence each. */
  readonly onStep?: (step: string) => void;
}

/** A running cluster. */
export interface Cluster {
  readonly name: string;
  readonly nodes: readonly ClusterNode[];
  /** Path of the administrator's kubeconfig; its server is on this machine's loopback. */
  readonly kubeconfig: string;
  /** Path of a script that is kubectl for this cluster, for the user's shell. */
  readonly kubectlPath: string;
  /** Runs kubectl; resolves with its output and exit code, whatever that is. */
  kubectl(args: readonly string[], options?: CommandOptions): Promise<CommandResult>;
  /** Loads an image archive (docker or OCI) into every node. */
  load(archive: string): Promise<void>;
  /** A power cycle: all of the node's processes, namespaces and `/run` go; its disk stays. Resolves when kubelet runs again. */
  restartNode(index: number): Promise<void>;
  /** Removes everything. */
  down(): Promise<void>;
}

/**
 * Brings a cluster up; resolves when all Nodes are registered with their pod ranges (Ready they are with a CNI plugin). What a
 * killed run of that name left is removed first; a failed `up` leaves nothing but its error.
 * Errors: FAILED_PRECONDITION (machine, Go), ALREADY_EXISTS (name in use), INVALID_ARGUMENT, UNAVAILABLE (a component died).
 */
export async function upCluster(options: ClusterOptions): Promise<Cluster> {
  const { name, nodes: count = 1, far = 0, onStep = () => undefined } = options;
  if (!Number.isInteger(count) || count < 1 || count > maxNodes) {
    throw new BerthError('INVALID_ARGUMENT', `a cluster has 1 to ${maxNodes} nodes, not ${count}`);
  }
  if (!Number.isInteger(far) || far < 0 || far >= count) {
    throw new BerthError('INVALID_ARGUMENT', `of ${count} nodes 0 to ${count - 1} can be far, not ${far}`);
  }
  const links = nodeLinks(count, far);
  const folder = runFolder(name, options.dir);
  checkMachine();
  checkUnused(folder);
  const programs = await ensurePrograms(nodePrograms);
  const dnsImages: ImageName[] = options.dns === true ? ['coredns'] : [];
  const images = await ensureImages([...new Set<ImageName>(['pause', ...(options.images ?? []), ...dnsImages])]);

  await withLockFile(
    join(cacheFolder(), `up-${name}.lock`),
    () => undefined,
    async () => {
      checkUnused(folder);
      await removeRun(folder);
      await claimRunFolder(folder);
    },
  );
  try {
    onStep(`Starting ${count === 1 ? 'a node' : `${count} nodes`}`);
    installPrograms(folder, Object.values(programs));
    await createPki(folder.pki, links);
    const cluster = await start(folder, options, links, images);
    if (options.dns === true) checkKubectl(await cluster.kubectl(['apply', '-f', '-'], { stdin: dnsManifest() }));
    if (options.detached === true) await releaseClaim(folder);
    return cluster;
  } catch (error) {
    await removeRun(folder);
    throw error;
  }
}

/** A cluster that another process brought up. Errors: NOT_FOUND. */
export function useCluster(name: string, dir?: string): Cluster {
  const folder = runFolder(name, dir);
  const state = readState(folder);
  if (state === undefined || !isAlive(state.lan.init)) {
    throw new BerthError('NOT_FOUND', `no cluster "${name}" is up: npm run cluster -- up --name ${name}`);
  }
  const links = nodeLinks(state.nodes.length, state.far);
  const nodes = state.nodes.map((namespaces, index) => managedNode(folder, index, links, state.kubeProxy, namespaces));
  return runningCluster(folder, state, nodes);
}

/** Removes a cluster by name, also what a killed run left of it. True if there was anything. */
export async function downCluster(name: string, dir?: string): Promise<boolean> {
  const folder = runFolder(name, dir);
  const existed = existsSync(folder.path);
  await removeRun(folder);
  return existed;
}

async function start(
  folder: RunFolder,
  options: ClusterOptions,
  links: readonly Link[],
  images: readonly string[],
): Promise<Cluster> {
  const { kubeProxy = true, mounts = [], onStep = () => undefined } = options;
  mkdirSync(folder.logs('lan'), { recursive: true });
  const lan = await createSwitch(join(folder.programs, 'pause'), {
    logFile: join(folder.logs('lan'), 'switch.log'),
    mark: [runVariable, folder.path],
  });
  const apiPort = await forwardApiServer(folder, lan);
  writeKubectl(folder, apiPort);
  const nodes = links.map((_, index) => managedNode(folder, index, links, kubeProxy));
  for (const node of nodes) {
    node.install();
    await node.powerOn(lan, mounts);
  }
  const far = links.filter((link) => link === secondLink).length;
  const state = { lan, nodes: nodes.map((node) => node.namespaces), far, kubeProxy, mounts, apiPort };
  await writeState(folder, state);
  const cluster = runningCluster(folder, state, nodes);

  onStep('Waiting for the API server');
  const api = apiServer(apiPort, folder.pki);
  await Promise.all(nodes.map((node) => node.startRuntime()));
  const loading = Promise.all(images.map((image) => cluster.load(image)));
  await Promise.all([loading, waitForApiServer(api, controlPlane(nodes))]);
  onStep('Waiting for the nodes to register');
  await Promise.all(nodes.map((node) => node.startKubelet()));
  await waitForNodes(api, nodes);
  return cluster;
}

function runningCluster(folder: RunFolder, initial: RunState, nodes: readonly ManagedNode[]): Cluster {
  return {
    name: folder.name,
    nodes,
    kubeconfig: folder.kubeconfig,
    kubectlPath: kubectlPath(folder),
    kubectl: (args, options = {}) => run(kubectlPath(folder), args, options),
    load: async (archive) => {
      await Promise.all(nodes.map((node) => node.load(archive)));
    },
    restartNode: async (index) => {
      const node = nodes[index];
      if (node === undefined) throw new BerthError('NOT_FOUND', `the cluster has no node number ${index}`);
      await node.powerOff();
      await node.powerOn(initial.lan, initial.mounts);
      await writeState(folder, { ...initial, nodes: nodes.map((each) => each.namespaces) });
      await node.startRuntime();
      if (index === 0) await waitForApiServer(apiServer(initial.apiPort, folder.pki), node);
      await node.startKubelet();
    },
    down: () => removeRun(folder),
  };
}

function controlPlane(nodes: readonly ManagedNode[]): ManagedNode {
  const [first] = nodes;
  if (first === undefined) throw new BerthError('INTERNAL', 'a cluster without nodes');
  return first;
}

function checkUnused(folder: RunFolder): void {
  if (!isInUse(folder)) return;
  const advice = `npm run cluster -- down --name ${folder.name}, or choose another name`;
  throw new BerthError('ALREADY_EXISTS', `a cluster "${folder.name}" is already up: ${advice}`);
}

/** Gathers the programs in the run's folder: the nodes see that one, and the cache may change under them. */
function installPrograms(folder: RunFolder, paths: readonly string[]): void {
  mkdirSync(folder.programs);
  for (const path of paths) {
    const target = join(folder.programs, basename(path));
    try {
      linkSync(path, target);
    } catch (error) {
      if (errnoOf(error) !== 'EXDEV') throw error;
      copyFileSync(path, target);
    }
  }
  for (const name of kubernetesNames) symlinkSync('kubernetes', join(folder.programs, name));
}
