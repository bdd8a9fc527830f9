/** A running cluster and what can be done to it: programs, images, power cycles, nodes that come and go. */
import { BerthError } from '../kit/errors.ts';
import { kubectlPath } from './access.ts';
import { firstLink, maxNodes, secondLink } from './addresses.ts';
import { apiServer } from './api.ts';
import { run } from './command.ts';
import type { CommandOptions, CommandResult } from './command.ts';
import { managedNode } from './node.ts';
import type { ClusterNode, ManagedNode } from './node.ts';
import { certifyNode } from './pki.ts';
import { waitForApiServer, waitForNodes } from './readiness.ts';
import { writeHosts } from './rootfs.ts';
import { removeRun, writeState } from './runfolder.ts';
import type { NodeState, RunFolder, RunState } from './runfolder.ts';

/** A running cluster. */
export interface Cluster {
  readonly name: string;
  /** Those there are now. */
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
  /** A further machine, with all images that were loaded, near or behind the router. Resolves when its Node has its pod ranges. */
  addNode(options?: { readonly far?: boolean }): Promise<ClusterNode>;
  /** Takes a machine away without a word to anybody: its Node object stays until it is deleted. Not the first, which has the control plane. */
  removeNode(name: string): Promise<void>;
  /** Removes everything. */
  down(): Promise<void>;
}

/** A cluster that is up, whoever brought it up; `members` are its nodes as the state has them. */
export function runningCluster(folder: RunFolder, initial: RunState, members: readonly ManagedNode[]): Cluster {
  let nodes = members;
  let { archives } = initial;
  const { lan, mounts, disks, kubeProxy, apiPort } = initial;
  const save = (): Promise<void> => writeState(folder, { ...initial, nodes: nodes.map(stateOf), archives });
  const become = async (next: readonly ManagedNode[]): Promise<void> => {
    nodes = next;
    for (const { rootDir } of nodes)
      writeHosts(
        rootDir,
        nodes.map(({ place }) => place),
      );
    await save();
  };
  const find = (found: ManagedNode | undefined, what: string): ManagedNode => {
    if (found === undefined) throw new BerthError('NOT_FOUND', `the cluster has no node ${what}`);
    return found;
  };
  return {
    name: folder.name,
    get nodes() {
      return nodes;
    },
    kubeconfig: folder.kubeconfig,
    kubectlPath: kubectlPath(folder),
    kubectl: (args, options = {}) => run(kubectlPath(folder), args, options),
    load: async (archive) => {
      await Promise.all(nodes.map((node) => node.load(archive)));
      archives = [...new Set([...archives, archive])];
      await save();
    },
    restartNode: async (index) => {
      const node = find(nodes[index], `number ${index}`);
      await node.powerOff();
      await node.powerOn(lan, mounts, disks);
      await save();
      await node.startRuntime();
      if (index === 0) await waitForApiServer(apiServer(apiPort, folder.pki), node);
      await node.startKubelet();
    },
    addNode: async ({ far = false } = {}) => {
      const index = 1 + Math.max(...nodes.map(({ place }) => place.index));
      if (index >= maxNodes) throw new BerthError('INVALID_ARGUMENT', `a cluster has at most ${maxNodes} nodes`);
      const place = { index, link: far ? secondLink : firstLink };
      await certifyNode(folder.pki, place);
      const node = managedNode(folder, place, kubeProxy);
      await node.install(disks);
      await node.powerOn(lan, mounts, disks);
      await become([...nodes, node]);
      await node.startRuntime();
      for (const archive of archives) await node.load(archive);
      await node.startKubelet();
      await waitForNodes(apiServer(apiPort, folder.pki), [node]);
      return node;
    },
    removeNode: async (name) => {
      const node = find(
        nodes.find((candidate) => candidate.name === name),
        name,
      );
      if (node === controlPlane(nodes))
        throw new BerthError('INVALID_ARGUMENT', `${name} has the control plane and cannot be removed`);
      await node.powerOff();
      await become(nodes.filter((other) => other !== node));
      await node.scrap();
    },
    down: () => removeRun(folder),
  };
}

/** What the state says of a node that is switched on. */
export function stateOf({ place, namespaces }: ManagedNode): NodeState {
  return { index: place.index, far: place.link === secondLink, namespaces };
}

/** The node with the API server. */
export function controlPlane(nodes: readonly ManagedNode[]): ManagedNode {
  const [first] = nodes;
  if (first === undefined) throw new BerthError('INTERNAL', 'a cluster without nodes');
  return first;
}
