/** Probes for what the container runtime finds of the pod network: the executable and the configuration. */
import { join } from 'node:path';
import type { NetworkConfig } from '../../../cni/config.ts';
import { conflistText, isSameExecutable, pluginType } from '../../../cni/install.ts';
import { findRivals } from '../../../cni/rivals.ts';
import type { Rival } from '../../../cni/rivals.ts';
import { onHost } from '../context.ts';
import type { DoctorContext } from '../context.ts';
import { failure, pass, unknown, warning } from '../finding.ts';
import type { Verdict } from '../finding.ts';
import { probe, withNetwork } from '../probe.ts';
import type { Probe } from '../probe.ts';
import { exists, folderState, listFolder, readText } from '../reading.ts';
import type { FolderState } from '../reading.ts';
import { containerdSettings } from './containerd.ts';
import type { ContainerdSettings } from './containerd.ts';
import { cniBinDirs, cniConfDirs, presentPlaces, setKey } from './distributions.ts';
import type { Place } from './distributions.ts';

interface DirSnapshot {
  readonly key: 'network.cniBinDir' | 'network.cniConfDir';
  readonly path: string;
  readonly state: FolderState;
  readonly others: readonly Place[];
}

function judgeDir({ key, path, state, others }: DirSnapshot): Verdict {
  const evidence = { what: state, from: path };
  switch (state) {
    case 'writable':
      return pass(`${path} is there, and can be written`, evidence);
    case 'missing':
      // Where a runtime looks, whoever installs it has made the folder.
      return failure(`${path} does not exist`, setKey(key, others) ?? `mkdir -p ${path}`, evidence);
    case 'no-folder':
      return failure(
        `${path} is no folder`,
        `set ${key} in the NodeConfig to the folder of the container runtime`,
        evidence,
      );
    case 'read-only':
      return failure(
        `${path} cannot be written`,
        `mount -o remount,rw the filesystem of ${path}, or set ${key} and the runtime to another folder`,
        evidence,
      );
  }
}

const readDir =
  (key: DirSnapshot['key'], places: readonly Place[]) =>
  async (context: DoctorContext, network: NetworkConfig): Promise<DirSnapshot> => {
    const path = key === 'network.cniBinDir' ? network.cniBinDir : network.cniConfDir;
    const others = await presentPlaces(context, places, path);
    return { key, path, state: await folderState(onHost(context, path)), others };
  };

interface ConflistSnapshot {
  readonly folder: string;
  readonly name: string;
  readonly present: string | undefined;
  readonly expected: string;
  readonly rivals: readonly Rival[];
}

function judgeFirst({ folder, name, present, expected, rivals }: ConflistSnapshot): Verdict {
  const path = join(folder, name);
  const evidence = [
    ...rivals.map((rival) => ({ what: rival.problem ?? 'comes first', from: join(folder, rival.name) })),
  ];
  const [first] = rivals;
  if (first !== undefined) {
    const broken = rivals.find(({ problem }) => problem !== undefined);
    const what =
      broken === undefined
        ? `the runtime takes ${first.name}, whose name comes before ${name}, instead of Berth's`
        : `${broken.name} comes before ${name} and cannot be used (${broken.problem ?? ''}), so the runtime may give no pod a network`;
    const bad = (broken ?? first).name;
    return failure(what, `uninstall what wrote it, then mv ${join(folder, bad)} ${join(folder, bad)}.off`, ...evidence);
  }
  if (present === undefined)
    return failure(
      `${path} is not there, so the runtime does not know Berth`,
      'the agent writes it when it serves: see agent.services',
      { what: 'no such file', from: path },
    );
  if (present !== expected.trim())
    return warning(
      `${path} is not what this configuration makes of it`,
      'restart the agent: kubectl -n berth-system rollout restart daemonset/berth',
      { what: 'differs', from: path },
    );
  return pass(`the runtime takes ${name}`, { what: 'first in the order of names', from: path });
}

interface OthersSnapshot {
  readonly folder: string;
  readonly names: readonly string[];
}

function judgeOthers({ folder, names }: OthersSnapshot): Verdict {
  if (names.length === 0) return pass('no other CNI configuration is there');
  return warning(
    `also there: ${names.join(', ')}; the runtime would take the first of them when Berth's is removed`,
    `remove them if no other program needs them: mv ${join(folder, names[0] ?? '')} ${join(folder, names[0] ?? '')}.off`,
    ...names.map((name) => ({ what: 'another CNI configuration', from: join(folder, name) })),
  );
}

interface ExecutableSnapshot {
  readonly path: string;
  readonly isThere: boolean;
  /** Undefined where this program has none to compare with. */
  readonly isOurs: boolean | undefined;
}

function judgeExecutable({ path, isThere, isOurs }: ExecutableSnapshot): Verdict {
  const fix = 'the agent installs it when it starts: kubectl -n berth-system rollout restart daemonset/berth';
  if (!isThere)
    return failure(`${path} is not there, so the runtime can start no pod`, fix, { what: 'no such file', from: path });
  if (isOurs === undefined)
    return unknown(`${path} is there; this program has no executable to compare it with`, undefined, {
      what: 'a file',
      from: path,
    });
  if (isOurs) return pass(`${path} is that of this version`, { what: 'the same bytes', from: path });
  return failure(`${path} is not that of this version, or cannot be executed`, fix, { what: 'differs', from: path });
}

function judgeRuntimeDirs(
  settings: ContainerdSettings | undefined,
  { cniBinDir, cniConfDir }: Pick<NetworkConfig, 'cniBinDir' | 'cniConfDir'>,
): Verdict {
  if (settings === undefined)
    return unknown('no container runtime is to be seen from here', 'run berth doctor on the node itself');
  const { confDir, binDirs, from } = settings;
  const evidence = { what: `conf_dir ${confDir}, bin_dirs ${binDirs.join(' ')}`, from };
  if (confDir !== cniConfDir)
    return failure(
      `containerd reads ${confDir}, and network.cniConfDir is ${cniConfDir}`,
      `set network.cniConfDir: ${confDir} in the NodeConfig, and the same path in the DaemonSet`,
      evidence,
    );
  if (!binDirs.includes(cniBinDir))
    return failure(
      `containerd executes plugins of ${binDirs.join(', ')}, and network.cniBinDir is ${cniBinDir}`,
      `set network.cniBinDir: ${binDirs[0] ?? ''} in the NodeConfig, and the same path in the DaemonSet`,
      evidence,
    );
  return pass('containerd looks where Berth writes', evidence);
}

export const cniProbes: readonly Probe[] = [
  probe({
    id: 'cni.bin-dir',
    title: 'the folder of CNI executables can be written',
    why: 'The agent installs its executable there, and the container runtime runs it for each pod.',
    mend: 'The NodeConfig key `network.cniBinDir`, and the same path in the DaemonSet.',
    of: withNetwork,
    read: readDir('network.cniBinDir', cniBinDirs),
    judge: judgeDir,
  }),
  probe({
    id: 'cni.conf-dir',
    title: 'the folder of CNI configurations can be written',
    why: 'The agent writes its configuration list there, by which the container runtime finds it.',
    mend: 'The NodeConfig key `network.cniConfDir`, and the same path in the DaemonSet.',
    of: withNetwork,
    read: readDir('network.cniConfDir', cniConfDirs),
    judge: judgeDir,
  }),
  probe({
    id: 'cni.runtime-dirs',
    title: 'the container runtime looks where Berth writes',
    why: 'A runtime that looks elsewhere says that there is no pod network, however well the agent is. Its configuration is seen on the node, not from a container.',
    mend: 'The NodeConfig keys `network.cniConfDir` and `network.cniBinDir`, and the same paths in the DaemonSet.',
    of: withNetwork,
    read: containerdSettings,
    judge: judgeRuntimeDirs,
  }),
  probe({
    id: 'cni.executable',
    title: 'the CNI executable is installed and of this version',
    why: 'Without it no pod starts; one of another version may not understand the agent.',
    mend: '`kubectl -n berth-system rollout restart daemonset/berth`: the agent installs it when it starts.',
    of: withNetwork,
    read: async (context, { cniBinDir }) => {
      const path = join(cniBinDir, pluginType);
      const [isThere, hasOwn] = [await exists(onHost(context, path)), await exists(context.shimPath)];
      const isOurs = hasOwn && isThere ? await isSameExecutable(context.shimPath, onHost(context, path)) : undefined;
      return { path, isThere, isOurs };
    },
    judge: judgeExecutable,
  }),
  probe({
    id: 'cni.first-conflist',
    title: "Berth's CNI configuration is the first",
    why: 'The container runtime takes the configuration whose file name comes first, and containerd takes none at all while one before it is broken.',
    mend: 'Uninstall the other pod network, and rename what it left: `mv FILE FILE.off`.',
    of: withNetwork,
    read: async (context, network) => {
      const { cniConfDir: folder, conflistName: name } = network;
      const place = { cniConfDir: onHost(context, folder), conflistName: name };
      const [present, rivals] = [await readText(join(place.cniConfDir, name)), await findRivals(place)];
      return { folder, name, present, expected: conflistText(network), rivals };
    },
    judge: judgeFirst,
  }),
  probe({
    id: 'cni.other-configurations',
    title: 'no other CNI configuration waits behind it',
    why: "The runtime would take it as soon as Berth's is removed, also for a moment.",
    mend: 'Remove what an earlier pod network left: `mv FILE FILE.off`.',
    of: withNetwork,
    read: async (context, { cniConfDir: folder, conflistName }) => {
      const names = (await listFolder(onHost(context, folder))) ?? [];
      return { folder, names: names.filter((name) => /\.(conf|conflist|json)$/.test(name) && name > conflistName) };
    },
    judge: judgeOthers,
  }),
];
