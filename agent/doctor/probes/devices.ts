/** Probes for the way devices take into containers. */
import type { NodeConfig } from '../../nodeconfig.ts';
import { readsCdiFiles } from '../../containerruntime.ts';
import { nodeOf, onHost } from '../context.ts';
import { failure, pass, unknown, warning } from '../finding.ts';
import type { Verdict } from '../finding.ts';
import { probe, withDevices } from '../probe.ts';
import type { Probe } from '../probe.ts';
import { folderState } from '../reading.ts';
import type { FolderState } from '../reading.ts';
import { messageOf } from '../../../kit/errors.ts';
import { containerdSettings } from './containerd.ts';
import type { ContainerdSettings } from './containerd.ts';

type Devices = NonNullable<NodeConfig['devices']>;
type DeviceRules = Pick<Devices, 'resources' | 'rulesDir'>;

interface CdiSnapshot {
  readonly dir: string;
  readonly state: FolderState;
  /** `containerd://2.1.0` as the Node says, or why that is not known. */
  readonly runtime: { readonly version: string } | { readonly reason: string };
  /** As far as its configuration can be seen. */
  readonly settings: Pick<ContainerdSettings, 'cdi' | 'cdiDirs' | 'from'> | undefined;
}

/** Whether rules ask for CDI: those that name it, and those that leave the choice. */
function cdiUse({ resources, rulesDir }: DeviceRules): 'asked' | 'possible' | 'no' {
  if (resources.some(({ injection }) => injection === 'cdi')) return 'asked';
  // What is in the folder may change at any time.
  return rulesDir !== undefined || resources.some(({ injection }) => injection === 'auto') ? 'possible' : 'no';
}

function judgeCdi({ dir, state, runtime, settings }: CdiSnapshot, devices: DeviceRules): Verdict {
  const use = cdiUse(devices);
  // Without CDI a rule of `auto` names nodes to the kubelet; one of `cdi` cannot be served.
  const bad = use === 'asked' ? failure : warning;
  if (settings?.cdi === false)
    return bad(
      'containerd reads no CDI files (enable_cdi = false)',
      `set enable_cdi = true in ${settings.from} and restart containerd`,
      { what: 'enable_cdi = false', from: settings.from },
    );
  if (settings?.cdiDirs !== undefined && !settings.cdiDirs.map(sameRun).includes(sameRun(dir)))
    return bad(
      `containerd reads CDI files of ${settings.cdiDirs.join(', ')}, and devices.cdiDir is ${dir}`,
      `set devices.cdiDir: ${settings.cdiDirs.at(-1) ?? ''} in the NodeConfig, and the same path in the DaemonSet`,
      { what: settings.cdiDirs.join(' '), from: settings.from },
    );
  if ('version' in runtime && !readsCdiFiles(runtime.version))
    return bad(
      `${runtime.version} reads no CDI files without being told to`,
      'update it to containerd 2 or CRI-O 1.28, or set injection: devicespec',
      { what: runtime.version, from: 'status.nodeInfo.containerRuntimeVersion of the Node' },
    );
  if (state === 'read-only' || state === 'no-folder')
    return bad(`${dir} cannot be written`, `mkdir -p ${dir}, or set devices.cdiDir in the NodeConfig`, {
      what: state,
      from: dir,
    });
  if ('reason' in runtime && settings === undefined)
    return unknown(`which container runtime this node has is not known: ${runtime.reason}`, undefined, {
      what: state,
      from: dir,
    });
  return pass('the container runtime reads CDI files', { what: state, from: dir });
}

/** /var/run is a link to /run. */
function sameRun(path: string): string {
  return path.replace(/^\/var\/run\//, '/run/');
}

export const deviceProbes: readonly Probe[] = [
  probe<Devices, CdiSnapshot>({
    id: 'devices.cdi',
    title: 'the container runtime reads CDI files',
    why: 'Devices that come and go reach containers by CDI files (`injection: cdi`, or `auto` for what can be plugged). containerd 2 and CRI-O 1.28 read them.',
    mend: '`enable_cdi = true` in the configuration of containerd, the NodeConfig key `devices.cdiDir`, or `injection: devicespec`.',
    of: (config) => (config.devices !== undefined && cdiUse(config.devices) !== 'no' ? withDevices(config) : undefined),
    read: async (context, { cdiDir }) => {
      const settings = await containerdSettings(context);
      const runtime = await nodeOf(context).then(
        (node) => {
          const { nodeInfo } = (node['status'] ?? {}) as {
            readonly nodeInfo?: { readonly containerRuntimeVersion?: unknown };
          };
          const version = nodeInfo?.containerRuntimeVersion;
          return typeof version === 'string' ? { version } : { reason: 'the Node does not say it yet' };
        },
        (error: unknown) => ({ reason: messageOf(error) }),
      );
      return { dir: cdiDir, state: await folderState(onHost(context, cdiDir)), runtime, settings };
    },
    judge: judgeCdi,
  }),
];
