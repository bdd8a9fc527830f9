/** One node: its namespaces and the programs in them. Files and cgroups are made here; the control plane is told from outside. */
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { BerthError } from '../kit/errors.ts';
import { apiPort, nodeAddresses, nodeName } from './addresses.ts';
import type { NodePlace } from './addresses.ts';
import { createCgroup, removeCgroup } from './cgroup.ts';
import { run, runChecked } from './command.ts';
import type { CommandOptions, CommandResult } from './command.ts';
import {
  checkComponents,
  componentProcess,
  forgetComponents,
  readLog,
  signalComponent,
  startComponent,
  stopComponent,
} from './component.ts';
import type { ComponentCommand } from './component.ts';
import { containerdCommand, formatContainerdConfig } from './containerd.ts';
import { controlPlaneCommands, formatAuditPolicy } from './controlplane.ts';
import { diskEntry, makeDisks } from './disks.ts';
import type { NodeDisk } from './disks.ts';
import { nodeEnvironment } from './environment.ts';
import { formatKubeconfig } from './kubeconfig.ts';
import { formatKubeletConfig, formatKubeProxyConfig, kubeletCommand, kubeProxyCommand } from './kubelet.ts';
import { detachLoops } from './loops.ts';
import { createNamespaces, destroyNamespaces, enterArguments } from './namespace.ts';
import type { Namespaces } from './namespace.ts';
import { connectNode } from './network.ts';
import { installPki } from './pki.ts';
import { createRootFolder } from './rootfs.ts';
import { runVariable } from './runfolder.ts';
import { answersKubelet } from './runtimeready.ts';
import type { NodeMount, RunFolder } from './runfolder.ts';
import { waitFor } from './wait.ts';

export type ComponentName =
  'containerd' | 'kubelet' | 'kube-proxy' | 'etcd' | 'kube-apiserver' | 'kube-controller-manager' | 'kube-scheduler';

/** One node of a running cluster. */
export interface ClusterNode {
  readonly name: string;
  /** IPv4 address in the cluster's network; `address6` its IPv6 address. */
  readonly address: string;
  readonly address6: string;
  /** The node's process 1 as this machine numbers it: `/proc/PID/root`, `/proc/PID/ns/net`. Another one after a restart. */
  readonly pid: number;
  /** The folder on this machine that is the node's `/` (without what is mounted in it, as `/run`). */
  readonly rootDir: string;
  readonly components: readonly ComponentName[];
  /** Runs a program in all of the node's namespaces; resolves with its output and exit code. */
  exec(command: readonly string[], options?: CommandOptions): Promise<CommandResult>;
  /** All that a component has logged. */
  logs(component: ComponentName): string;
  /** The pid of a running component on this machine, or undefined. */
  componentPid(component: ComponentName): number | undefined;
  /** Sends a signal (default SIGKILL) and, if it ends the component, waits for that. Nothing restarts it by itself. */
  kill(component: ComponentName, signal?: NodeJS.Signals): Promise<void>;
  /** Starts a component that does not run; containerd has answered when it resolves. Errors: ALREADY_EXISTS if it does. */
  start(component: ComponentName): Promise<void>;
  /** SIGTERM if it runs, SIGKILL if that takes longer than 10 s, and start. */
  restart(component: ComponentName): Promise<void>;
  /** Loads an image archive (docker or OCI) into the node's containerd. */
  load(archive: string): Promise<void>;
}

/** A node with what its cluster does to it. */
export interface ManagedNode extends ClusterNode {
  readonly place: NodePlace;
  readonly namespaces: Namespaces;
  /** Writes what a node of a new cluster finds on its disk, and makes its further disks. */
  install(disks: readonly NodeDisk[]): Promise<void>;
  /** Makes its namespaces, plugs it in and leaves its components to be started. */
  powerOn(lan: Namespaces, mounts: readonly NodeMount[], disks: readonly NodeDisk[]): Promise<void>;
  /** Ends everything on it at once, without a word to anybody. */
  powerOff(): Promise<void>;
  /** Removes what `install` and its life have left on its disk, once it is switched off. */
  scrap(): Promise<void>;
  /** Starts containerd and, on the first node, the control plane; resolves when containerd answers. */
  startRuntime(): Promise<void>;
  startKubelet(): Promise<void>;
  /** Errors: UNAVAILABLE with the end of its log if a started component has died. */
  check(): void;
}

/** The node in a place; `existing` are its namespaces if it is up. */
export function managedNode(
  folder: RunFolder,
  place: NodePlace,
  kubeProxy: boolean,
  existing?: Namespaces,
): ManagedNode {
  const { index, link } = place;
  const name = nodeName(index);
  const addresses = nodeAddresses(index, link);
  const rootDir = folder.nodeRoot(name);
  const logFolder = folder.logs(name);
  const cgroup = `${folder.cgroup}/${name}`;
  let namespaces = existing;

  const commands: ComponentCommand[] = [
    containerdCommand(),
    ...(index === 0 ? controlPlaneCommands(addresses) : []),
    kubeletCommand(name, addresses),
    ...(kubeProxy ? [kubeProxyCommand(name)] : []),
  ];
  const components = commands.map((command) => command.name as ComponentName);

  const running = (): Namespaces => {
    if (namespaces === undefined) throw new BerthError('FAILED_PRECONDITION', `${name} is switched off`);
    return namespaces;
  };

  /** A kubelet that finds no container runtime, or one that is not yet there for kubelets, gives up. */
  const waitForContainerd = async (): Promise<void> => {
    const socket = `/proc/${running().init.pid}/root/run/containerd/containerd.sock`;
    await waitFor(
      `containerd on ${name}`,
      async () => {
        checkComponents(logFolder, ['containerd']);
        if (!existsSync(socket)) return undefined;
        return (await answersKubelet(socket)) ? true : undefined;
      },
      { timeoutMs: 60_000 },
    );
  };

  const node: ManagedNode = {
    name,
    place,
    address: addresses.v4,
    address6: addresses.v6,
    rootDir,
    components,
    get namespaces() {
      return running();
    },
    get pid() {
      return running().init.pid;
    },
    exec: (command, options = {}) =>
      run('nsenter', [...enterArguments(running()), ...command], { env: nodeEnvironment, ...options }),
    logs: (component) => readLog(logFolder, component),
    componentPid: (component) => componentProcess(logFolder, component)?.pid,
    kill: (component, signal = 'SIGKILL') => signalComponent(logFolder, component, signal),
    start: async (component) => {
      const command = commands.find((candidate) => candidate.name === component);
      if (command === undefined) throw new BerthError('NOT_FOUND', `${name} has no ${component}`);
      if (componentProcess(logFolder, component) !== undefined) {
        throw new BerthError('ALREADY_EXISTS', `${component} already runs on ${name}`);
      }
      await startComponent({ namespaces: running(), logFolder }, command);
      if (component === 'containerd') await waitForContainerd();
    },
    restart: async (component) => {
      await stopComponent(logFolder, component);
      await node.start(component);
    },
    load: async (archive) => {
      // The archive lies outside the node's root: hand over its content through the machine's own ctr.
      const address = `/proc/${running().init.pid}/root/run/containerd/containerd.sock`;
      const args = ['--address', address, '--namespace', 'k8s.io', 'images', 'import', archive];
      const result = await run(join(folder.programs, 'ctr'), args);
      if (result.code !== 0) {
        const said = result.stderr.trim().split('\n').at(-1) ?? '';
        throw new BerthError('FAILED_PRECONDITION', `image archive ${archive} cannot be loaded into ${name}: ${said}`);
      }
    },
    install: async (disks) => {
      createRootFolder(rootDir, index);
      await makeDisks(rootDir, disks);
      const etc = (path: string, content: string): void => {
        writeFileSync(join(rootDir, 'etc', path), content, { mode: 0o600 });
      };
      installPki(folder.pki, join(rootDir, 'etc/kubernetes/pki'), index);
      const server = `https://${nodeAddresses(0).v4}:${apiPort}`;
      const kubeconfig = (file: string, user: string): void => {
        etc(`kubernetes/${file}.conf`, formatKubeconfig(server, folder.pki, user, folder.name));
      };
      kubeconfig('kubelet', name);
      kubeconfig('kube-proxy', 'kube-proxy');
      if (index === 0) for (const user of ['admin', 'controller-manager', 'scheduler']) kubeconfig(user, user);
      if (index === 0) etc('kubernetes/audit-policy.json', formatAuditPolicy());
      etc('containerd/config.toml', formatContainerdConfig());
      etc('kubernetes/kubelet.yaml', formatKubeletConfig(`/${cgroup}`));
      etc('kubernetes/kube-proxy.yaml', formatKubeProxyConfig());
    },
    powerOn: async (lan, mounts, disks) => {
      createCgroup(cgroup);
      mkdirSync(logFolder, { recursive: true });
      const bootId = join(logFolder, 'boot_id');
      writeFileSync(bootId, `${crypto.randomUUID()}\n`);
      const script = readFileSync(join(import.meta.dirname, 'nodesetup.sh'), 'utf8');
      const binds = mounts.map(
        ({ source, target, readOnly }) => `${source}:${target}${readOnly === true ? ':ro' : ''}`,
      );
      namespaces = await createNamespaces(
        ['mount', 'net', 'pid', 'uts', 'ipc'],
        script,
        [rootDir, name, folder.programs, bootId, ...disks.map(diskEntry), ...binds],
        { logFile: join(logFolder, 'node.log'), mark: [runVariable, folder.path] },
      );
      await connectNode(lan, namespaces, place);
    },
    powerOff: async () => {
      await destroyNamespaces(running().init);
      namespaces = undefined;
      forgetComponents(logFolder, components);
      await detachLoops(rootDir);
      await removeCgroup(cgroup);
    },
    scrap: async () => {
      await runChecked('rm', ['-rf', '--one-file-system', rootDir]);
      // Its logs would else be taken for those of the next node of the name.
      rmSync(logFolder, { recursive: true, force: true });
    },
    startRuntime: async () => {
      const early = components.filter((component) => component !== 'kubelet' && component !== 'kube-proxy');
      await Promise.all(early.map((component) => node.start(component)));
    },
    startKubelet: async () => {
      await node.start('kubelet');
      if (kubeProxy) await node.start('kube-proxy');
    },
    check: () => {
      const started = components.filter((component) => existsSync(join(logFolder, `${component}.pid`)));
      checkComponents(logFolder, started);
    },
  };
  return node;
}
