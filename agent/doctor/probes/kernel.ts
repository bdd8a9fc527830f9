/** Probes for the kernel itself and for what it lets one process have. */
import { watch } from 'node:fs';
import { join } from 'node:path';
import { errnoOf } from '../../../kit/errors.ts';
import type { NodeConfig } from '../../nodeconfig.ts';
import { plugins } from '../../part.ts';
import { failure, pass, unknown, warning } from '../finding.ts';
import type { Verdict } from '../finding.ts';
import { always, probe } from '../probe.ts';
import type { Probe } from '../probe.ts';
import { readNumber, readText } from '../reading.ts';
import { sizeText } from '../../commands/cells.ts';
import { memoryLimit } from './memory.ts';

/** mount_setattr(2). */
const oldest = [5, 12] as const;

function judgeRelease({ release, from }: { readonly release: string; readonly from: string }): Verdict {
  const [, major, minor] = /^(\d+)\.(\d+)/.exec(release) ?? [];
  const evidence = { what: release, from };
  if (major === undefined || minor === undefined)
    return unknown(`"${release}" is no kernel release`, undefined, evidence);
  const isNew = Number(major) > oldest[0] || (Number(major) === oldest[0] && Number(minor) >= oldest[1]);
  if (isNew) return pass(`Linux ${release}`, evidence);
  return failure(`Linux ${release} is older than ${oldest.join('.')}`, 'boot a newer kernel', evidence);
}

interface InotifySnapshot {
  /** Of this user namespace, and the older name of the same for the first one. */
  readonly instances: number | undefined;
  readonly watches: number | undefined;
  readonly from: string;
  /** The errno name with which a watch was refused now. */
  readonly refusal: string | undefined;
}

const leastInstances = 64;
const leastWatches = 4_096;

function judgeInotify({ instances, watches, from, refusal }: InotifySnapshot): Verdict {
  const evidence = [
    { what: `max_user_instances = ${instances ?? 'unknown'}`, from },
    { what: `max_user_watches = ${watches ?? 'unknown'}`, from },
  ];
  const fix = 'sysctl -w fs.inotify.max_user_instances=1024 fs.inotify.max_user_watches=524288';
  if (refusal === 'EMFILE' || refusal === 'ENOSPC') {
    const limit = refusal === 'EMFILE' ? 'fs.inotify.max_user_instances' : 'fs.inotify.max_user_watches';
    return failure(`no file can be watched: all that ${limit} allows are in use (${refusal})`, fix, ...evidence);
  }
  if (refusal !== undefined) return unknown(`watching a file was refused: ${refusal}`, undefined, ...evidence);
  if ((instances ?? leastInstances) < leastInstances || (watches ?? leastWatches) < leastWatches)
    return warning('few files can be watched, and other programs of root take from the same number', fix, ...evidence);
  return pass('files can be watched', ...evidence);
}

/** Opens a watch for a moment, which is the only sure way to know. */
function watchRefusal(folder: string): string | undefined {
  try {
    watch(folder)
      .on('error', () => undefined)
      .close();
    return undefined;
  } catch (error) {
    return errnoOf(error) ?? String(error);
  }
}

const leastDescriptors = 4_096;

function judgeDescriptors({ limits, from }: { readonly limits: string; readonly from: string }): Verdict {
  const [, soft] = /^Max open files\s+(\d+|unlimited)/m.exec(limits) ?? [];
  if (soft === undefined) return unknown('the limit of open files is not told', undefined);
  const evidence = { what: `Max open files: ${soft}`, from };
  if (soft === 'unlimited' || Number(soft) >= leastDescriptors) return pass(`${soft} open files`, evidence);
  return warning(
    `a process may have ${soft} files open; with many devices and connections ${leastDescriptors} are better`,
    'raise LimitNOFILE of the container runtime (systemctl edit containerd) and restart it',
    evidence,
  );
}

const MiB = 1024 * 1024;
const leastMemory = 192 * MiB;
/** What the manifests give. */
const usualMemory = 512 * MiB;

function judgeMemory(
  limit: Awaited<ReturnType<typeof memoryLimit>>,
  config: Pick<NodeConfig, 'network' | 'devices' | 'storage'>,
): Verdict {
  if (limit === undefined) return pass('no limit of memory is set for this process, or it cannot be seen from here');
  const { bytes, used, kills, from } = limit;
  const evidence = [
    { what: `limit ${sizeText(bytes)}, in use ${sizeText(used)}`, from },
    ...(kills === 0 ? [] : [{ what: `${kills} processes ended by the kernel for want of memory`, from }]),
  ];
  // One that was not enough is doubled. The sidecars keep theirs.
  const enough = Math.max(usualMemory, kills > 0 ? 2 * bytes : 0) / MiB;
  const own = plugins.filter((each) => config[each] !== undefined);
  const container = own.length === 1 ? own[0] : 'berth';
  const fix = `kubectl -n berth-system set resources daemonset/berth --containers=${container} --limits=memory=${enough}Mi`;
  if (kills > 0)
    return warning('the kernel has ended processes here because the limit of memory is too low', fix, ...evidence);
  if (bytes < leastMemory) return warning(`a limit of ${sizeText(bytes)} of memory is little`, fix, ...evidence);
  return pass(`a limit of ${sizeText(bytes)} of memory`, ...evidence);
}

export const kernelProbes: readonly Probe[] = [
  probe({
    id: 'kernel.version',
    title: 'the kernel is new enough',
    why: `Berth mounts with mount_setattr (Linux ${oldest.join('.')}) and attaches volumes with LOOP_CONFIGURE (5.8).`,
    mend: 'A newer kernel.',
    of: always,
    read: async ({ roots }) => {
      const from = join(roots.proc, 'sys/kernel/osrelease');
      return { release: (await readText(from)) ?? '', from };
    },
    judge: judgeRelease,
  }),
];

export const limitProbes: readonly Probe[] = [
  probe({
    id: 'limits.inotify',
    title: 'files can be watched (inotify)',
    why: 'The agent learns by inotify that the kubelet restarts and that folders change. The numbers are shared by all programs of one user; many container hosts run out of them.',
    mend: '`sysctl -w fs.inotify.max_user_instances=1024 fs.inotify.max_user_watches=524288`, and the same in `/etc/sysctl.d/`.',
    of: always,
    read: async ({ roots }) => {
      const from = join(roots.proc, 'sys/user');
      const folder = join(roots.proc, 'sys/fs/inotify');
      return {
        instances:
          (await readNumber(join(from, 'max_inotify_instances'))) ??
          (await readNumber(join(folder, 'max_user_instances'))),
        watches:
          (await readNumber(join(from, 'max_inotify_watches'))) ?? (await readNumber(join(folder, 'max_user_watches'))),
        from: folder,
        refusal: watchRefusal(roots.proc),
      };
    },
    judge: judgeInotify,
  }),
  probe({
    id: 'limits.descriptors',
    title: 'a process can have enough files open',
    why: 'Each device, connection and loop device of the agent takes a descriptor. Containers inherit the limit of their runtime.',
    mend: 'A larger `LimitNOFILE` of the container runtime.',
    of: always,
    read: async ({ roots }) => {
      const from = join(roots.proc, 'self/limits');
      return { limits: (await readText(from)) ?? '', from };
    },
    judge: judgeDescriptors,
  }),
  probe({
    id: 'limits.memory',
    title: 'the limit of memory is not too low',
    why: 'An agent that the kernel ends for want of memory starts anew, and meanwhile no pod starts.',
    mend: '`kubectl -n berth-system set resources daemonset/berth --containers=CONTAINER --limits=memory=512Mi`, or the value `resources.CONTAINER.limits.memory` of the chart.',
    of: always,
    read: async ({ roots }) => await memoryLimit(roots),
    judge: judgeMemory,
  }),
];
