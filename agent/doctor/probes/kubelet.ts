/** Probes for the kubelet's directory and its sockets. */
import { join } from 'node:path';
import { coveringMount } from '../../../linux/mountinfo.ts';
import type { MountEntry } from '../../../linux/mountinfo.ts';
import { pluginRegistryDirectory } from '../../../kubelet/pluginregistration.ts';
import { mountsOf, onHost } from '../context.ts';
import type { DoctorContext } from '../context.ts';
import { failure, pass, worstOf } from '../finding.ts';
import type { Verdict } from '../finding.ts';
import { probe } from '../probe.ts';
import type { Probe } from '../probe.ts';
import { connectRefusal, isFolder, listFolder } from '../reading.ts';
import { kubeletRoots, presentPlaces, setKey } from './distributions.ts';
import type { Place } from './distributions.ts';

interface RootSnapshot {
  readonly root: string;
  readonly entries: readonly string[] | undefined;
  /** Other directories of kubelets that are here. */
  readonly others: readonly Place[];
}

function judgeRoot({ root, entries, others }: RootSnapshot): Verdict {
  const elsewhere = setKey('kubelet.rootDir', others);
  const fix =
    elsewhere ?? 'set kubelet.rootDir in the NodeConfig to the --root-dir of the kubelet (ps -o args -C kubelet)';
  if (entries === undefined) return failure(`${root} does not exist`, fix, { what: 'no such folder', from: root });
  const missing = ['device-plugins', pluginRegistryDirectory].filter((name) => !entries.includes(name));
  const evidence = { what: entries.slice(0, 12).join(' ') || 'empty', from: root };
  if (missing.length === 0) return pass(`${root} is a kubelet's`, evidence);
  const why = elsewhere === undefined ? 'or the kubelet has not started yet' : 'and there is another one';
  return failure(`${root} has no ${missing.join(', ')}: it is no kubelet's directory, ${why}`, fix, evidence);
}

interface SharedSnapshot {
  readonly root: string;
  readonly isThere: boolean;
  readonly mount: Pick<MountEntry, 'mountPoint' | 'tags'> | undefined;
  readonly from: string;
}

function judgeShared({ root, isThere, mount, from }: SharedSnapshot): Verdict {
  if (!isThere) return failure(`${root} does not exist`, 'see kubelet.root', { what: 'no such folder', from: root });
  const evidence = { what: `${mount?.mountPoint ?? 'no mount'}: ${mount?.tags.join(' ') || 'private'}`, from };
  if (mount?.tags.some((tag) => tag.startsWith('shared:')) === true)
    return pass(`${root} is on a shared mount`, evidence);
  const slave = mount?.tags.some((tag) => tag.startsWith('master:')) === true;
  const point = mount?.mountPoint ?? '/';
  return failure(
    `${root} is not on a shared mount (propagation of ${point}: ${slave ? 'slave' : 'private'}), so what is mounted there for a pod reaches neither the node nor the pod`,
    slave
      ? `give the volume of ${root} mountPropagation: Bidirectional in the DaemonSet`
      : // What runs has lost the way by which mounts reach the node.
        `mount --make-rshared ${point}\nkubectl -n berth-system rollout restart daemonset/berth`,
    evidence,
  );
}

interface SocketSnapshot {
  readonly path: string;
  /** The errno name, undefined when somebody listens. */
  readonly refusal: string | undefined;
}

function judgeSocket({ path, refusal }: SocketSnapshot, who: string, fix: string): Verdict {
  if (refusal === undefined) return pass(`${who} listens`, { what: 'connected', from: path });
  const why =
    refusal === 'ENOENT' ? 'there is no such socket' : refusal === 'ECONNREFUSED' ? 'nobody listens' : refusal;
  return failure(`${who} does not answer on ${path}: ${why}`, fix, { what: refusal, from: path });
}

async function socketOf(context: DoctorContext, path: string): Promise<SocketSnapshot> {
  return { path, refusal: await connectRefusal(onHost(context, path), context.signal) };
}

const startKubelet = 'systemctl restart kubelet; journalctl -u kubelet tells why it does not start';

export const kubeletProbes: readonly Probe[] = [
  probe({
    id: 'kubelet.root',
    title: "the kubelet's directory is where the NodeConfig says",
    why: 'All sockets and mounts of device plugins and volumes are below it. k0s and MicroK8s have it elsewhere.',
    mend: 'The NodeConfig key `kubelet.rootDir`, and the same path in the DaemonSet.',
    // The container of the network alone sees nothing of it, and needs nothing.
    of: ({ devices, storage, kubelet }) => ((devices ?? storage) === undefined ? undefined : kubelet),
    read: async (context, { rootDir }) => ({
      root: rootDir,
      entries: await listFolder(onHost(context, rootDir)),
      others: await presentPlaces(context, kubeletRoots, rootDir),
    }),
    judge: judgeRoot,
  }),
  probe({
    id: 'kubelet.root-shared',
    title: "the kubelet's directory is on a shared mount",
    why: 'The agent mounts volumes there, and only a shared mount passes them on to the node and to pods. It is the most common reason why pods see empty folders.',
    mend: '`mount --make-rshared /` (systemd does so at boot; other inits do not), then new pods of the agent, for those from before have lost the way: `kubectl -n berth-system rollout restart daemonset/berth`; in a container `mountPropagation: Bidirectional` of the DaemonSet.',
    of: ({ storage, kubelet }) => (storage === undefined ? undefined : kubelet),
    read: async (context, { rootDir }) => {
      const root = onHost(context, rootDir);
      const mount = coveringMount(await mountsOf(context), root);
      return {
        root: rootDir,
        isThere: (await isFolder(root)) === true,
        mount,
        from: join(context.roots.proc, 'self/mountinfo'),
      };
    },
    judge: judgeShared,
  }),
  probe({
    id: 'kubelet.device-socket',
    title: 'the kubelet takes device plugins',
    why: 'Resources are registered over this socket.',
    mend: 'A running kubelet: `systemctl restart kubelet`.',
    of: ({ devices, kubelet }) => (devices === undefined ? undefined : kubelet),
    read: async (context, { rootDir }) => await socketOf(context, join(rootDir, 'device-plugins/kubelet.sock')),
    judge: (snapshot) => judgeSocket(snapshot, 'the kubelet', startKubelet),
  }),
  probe({
    id: 'kubelet.pod-resources',
    title: 'the kubelet tells which pod has which device',
    why: 'The agent asks there who holds a device, for `berth get devices` and for CDI files.',
    mend: 'A running kubelet: `systemctl restart kubelet`.',
    of: ({ devices, kubelet }) => (devices === undefined ? undefined : kubelet),
    read: async (context, { rootDir }) => await socketOf(context, join(rootDir, 'pod-resources/kubelet.sock')),
    judge: (snapshot) => judgeSocket(snapshot, 'the kubelet', startKubelet),
  }),
  probe({
    id: 'kubelet.driver-sockets',
    title: 'the storage driver offers itself to the kubelet',
    why: 'The kubelet finds the driver by a socket in `plugins_registry` and calls it over its own.',
    mend: 'A running agent; `kubectl -n berth-system logs -l app.kubernetes.io/component=agent --all-containers` tells why it does not serve.',
    of: ({ storage, kubelet }) => storage && { storage, rootDir: kubelet.rootDir },
    read: async (context, { storage: { driverName }, rootDir }) => [
      await socketOf(context, join(rootDir, pluginRegistryDirectory, `${driverName}-reg.sock`)),
      await socketOf(context, join(rootDir, 'plugins', driverName, 'csi.sock')),
    ],
    judge: (sockets) =>
      worstOf(
        sockets.map((each) =>
          judgeSocket(each, 'the driver', 'kubectl -n berth-system rollout status daemonset/berth'),
        ),
        'the driver listens on both sockets',
      ),
  }),
];
