/** A real Kubernetes of one or more nodes on this machine: up, use, restart, down. The door of this room. */
import { copyFileSync, existsSync, linkSync, mkdirSync, symlinkSync } from 'node:fs';
import { basename, join } from 'node:path';
import { BerthError, errnoOf } from '../kit/errors.ts';
import { forwardApiServer, writeKubectl } from './access.ts';
import { firstLink, maxNodes, nodePlaces, secondLink } from './addresses.ts';
import type { NodePlace } from './addresses.ts';
import { apiServer } from './api.ts';
import { ensurePrograms } from './build.ts';
import { cacheFolder } from './cache.ts';
import type { NodeDisk } from './disks.ts';
import { dnsManifest } from './dns.ts';
import { withLockFile } from './lockfile.ts';
import { ensureImages } from './namedimages.ts';
import type { ImageName } from './namedimages.ts';
import { createSwitch } from './network.ts';
import { managedNode } from './node.ts';
import { createPki } from './pki.ts';
import { checkMachine } from './preflight.ts';
import { isAlive } from './processes.ts';
import { kubernetesNames, nodePrograms } from './programs.ts';
import { checkKubectl, waitForApiServer, waitForNodes } from './readiness.ts';
import { writeHosts } from './rootfs.ts';
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
import type { NodeMount, RunFolder } from './runfolder.ts';
import { controlPlane, runningCluster, stateOf } from './running.ts';
import type { Cluster } from './running.ts';

export type { Cluster } from './running.ts';

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
  /** Filesystems of its own for every node. */
  readonly disks?: readonly NodeDisk[];
  /** Folder for the runs' folders, on a disk and not on overlayfs. Default /var/tmp/berth-cluster. */
  readonly dir?: string;
  /** The cluster stays when this process ends. Default false: then the next `up` of this name removes it. */
  readonly detached?: boolean;
  /** Told what is being done, one sentence each. */
  readonly onStep?: (step: string) => void;
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
  const places = nodePlaces(count, far);
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
    await createPki(folder.pki, places);
    const cluster = await start(folder, options, places, images);
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
  const nodes = state.nodes.map(({ index, far, namespaces }) =>
    managedNode(folder, { index, link: far ? secondLink : firstLink }, state.kubeProxy, namespaces),
  );
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
  places: readonly NodePlace[],
  images: readonly string[],
): Promise<Cluster> {
  const { kubeProxy = true, mounts = [], disks = [], onStep = () => undefined } = options;
  mkdirSync(folder.logs('lan'), { recursive: true });
  const lan = await createSwitch(join(folder.programs, 'pause'), {
    logFile: join(folder.logs('lan'), 'switch.log'),
    mark: [runVariable, folder.path],
  });
  const apiPort = await forwardApiServer(folder, lan);
  writeKubectl(folder, apiPort);
  const nodes = places.map((place) => managedNode(folder, place, kubeProxy));
  for (const node of nodes) {
    await node.install(disks);
    writeHosts(node.rootDir, places);
    await node.powerOn(lan, mounts, disks);
  }
  const state = { lan, nodes: nodes.map(stateOf), archives: images, kubeProxy, mounts, disks, apiPort };
  await writeState(folder, state);
  const cluster = runningCluster(folder, state, nodes);

  onStep('Waiting for the API server');
  const api = apiServer(apiPort, folder.pki);
  await Promise.all(nodes.map((node) => node.startRuntime()));
  const loading = Promise.all(images.flatMap((image) => nodes.map((node) => node.load(image))));
  await Promise.all([loading, waitForApiServer(api, controlPlane(nodes))]);
  onStep('Waiting for the nodes to register');
  await Promise.all(nodes.map((node) => node.startKubelet()));
  await waitForNodes(api, nodes);
  return cluster;
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
