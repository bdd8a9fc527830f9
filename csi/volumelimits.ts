/**
 * The I/O limits of volumes on this node: put into the cgroups of the pods that have a volume, before they see it, and taken off
 * before they give it back. Whoever calls holds the volume. Measured, by version of cgroups: docs/limits.md.
 */
import { BerthError, messageOf } from '../kit/errors.ts';
import type { Logger } from '../kit/log.ts';
import type { BlockCgroups, BlockLimits } from '../linux/blockcgroup.ts';
import { ContainerLimits, limitGroup } from './containerlimits.ts';
import { hasLimits, parseIoLimits } from './iolimits.ts';
import { podOfTarget } from './podoftarget.ts';
import type { VolumeRecord } from './volume.ts';

export type LimitedVolume = Pick<VolumeRecord, 'id' | 'mutable'>;

export interface VolumeLimitsParts {
  readonly cgroups: BlockCgroups;
  /** Below it lie the targets, whose paths name the pods. */
  readonly kubeletRoot: string;
  readonly log: Logger;
}

/** A place where a pod has the volume. */
interface Target {
  readonly path: string;
}

/** Whose target it is; without a group nothing of the pod runs yet, or any more. */
interface Pod {
  readonly uid?: string;
  readonly group?: string | undefined;
}

/** The part of limits that concerns what the kernel writes back. */
function writesOf({ wbps, wiops }: BlockLimits): BlockLimits {
  return { wbps, wiops };
}

export class VolumeLimits {
  readonly #parts: VolumeLimitsParts;
  readonly #containers: ContainerLimits;

  constructor(parts: VolumeLimitsParts) {
    this.#parts = parts;
    this.#containers = new ContainerLimits(parts);
  }

  /** Throws FAILED_PRECONDITION when there is a limit and this node or the volume's engine (without `device`) has none. */
  async assertPossible(limits: BlockLimits, hasDevice: boolean): Promise<void> {
    if (!hasLimits(limits)) return;
    if (!hasDevice)
      throw new BerthError(
        'FAILED_PRECONDITION',
        'volumes of this pool have no block device of their own, so their I/O cannot be limited; use a pool of the engine "image"',
      );
    const support = await this.#parts.cgroups.support();
    if ('missing' in support)
      throw new BerthError('FAILED_PRECONDITION', `this node cannot limit I/O: ${support.missing}`);
  }

  /** Takes off what a device number was left with by somebody who ended before he could. Never throws. */
  async reset(device: string | undefined): Promise<void> {
    if (device === undefined) return;
    await this.#limitWriteBack(device, {}).catch((error: unknown) => {
      const reason = messageOf(error);
      this.#parts.log.warn(
        { event: 'limits.stay', device, reason },
        'old I/O limits of a device could not be taken off',
      );
    });
  }

  /**
   * Before the volume is published at the target: its limits, or none, hold for the pod. `device` is the block device
   * (`major:minor`) it is attached to. Throws UNAVAILABLE while the pod has no cgroup, FAILED_PRECONDITION when there can be no
   * limit: one that does not limit would be worse than none.
   */
  async enter(volume: LimitedVolume, device: string | undefined, target: string): Promise<void> {
    const limits = await this.#wanted(volume, device);
    if (device === undefined) return;
    const pod = await this.#podOf(target);
    if (pod.group !== undefined) {
      await this.#limitWriteBack(device, limits);
      await this.#limitPod(pod, device, limits);
      return;
    }
    if (!hasLimits(limits)) return;
    const whose = `volume ${volume.id} has I/O limits`;
    if (pod.uid === undefined)
      throw new BerthError('FAILED_PRECONDITION', `${whose}, but the target path names no pod that could have them`);
    throw new BerthError(
      'UNAVAILABLE',
      `${whose}, but pod ${pod.uid} has no cgroup yet (looked in ${await this.#parts.cgroups.podPlaces()}); try again`,
    );
  }

  /**
   * Limits that have changed, or that a new process finds: they hold at once for all pods that have the volume. A pod whose
   * cgroup has gone is passed over: nothing runs in it. Throws as `enter` does.
   */
  async change(volume: LimitedVolume, device: string | undefined, targets: readonly Target[]): Promise<void> {
    const limits = await this.#wanted(volume, device);
    if (device === undefined) return;
    await this.#limitWriteBack(device, targets.length > 0 ? limits : {});
    for (const { path } of targets) await this.#limitPod(await this.#podOf(path), device, limits);
  }

  /**
   * Before the volume is taken off the target. What the pod has written and is not on the disk yet then goes there at full speed:
   * the last unmount waits for it, at 1 MiB a second for minutes. `others` are the targets that stay. Never throws.
   */
  async leave(
    volume: LimitedVolume,
    device: string | undefined,
    target: string,
    others: readonly Target[],
  ): Promise<void> {
    if (device === undefined) return;
    const { kubeletRoot, log } = this.#parts;
    try {
      const pod = await this.#podOf(target);
      const stays = others.some(({ path }) => podOfTarget(kubeletRoot, path) === pod.uid);
      if (!stays) await this.#limitPod(pod, device, {});
      if (others.length === 0) await this.#limitWriteBack(device, {});
    } catch (error) {
      log.warn(
        { event: 'limits.stay', volume: volume.id, device, reason: messageOf(error) },
        'I/O limits of a volume could not be taken off',
      );
    }
  }

  /** Follows no pod any more; limits stay as they are. */
  stop(): void {
    this.#containers.stop();
  }

  async #wanted(volume: LimitedVolume, device: string | undefined): Promise<BlockLimits> {
    const limits = parseIoLimits(volume.mutable);
    await this.assertPossible(limits, device !== undefined);
    return limits;
  }

  async #podOf(target: string): Promise<Pod> {
    const uid = podOfTarget(this.#parts.kubeletRoot, target);
    return uid === undefined ? {} : { uid, group: await this.#parts.cgroups.podGroup(uid) };
  }

  /** The pod's part of the limits. One without a group has nothing that runs. */
  async #limitPod({ uid, group }: Pod, device: string, limits: BlockLimits): Promise<void> {
    const { cgroups } = this.#parts;
    const support = await cgroups.support();
    // First, so that a container that starts now is either listed below or found by who follows.
    if (uid !== undefined && group !== undefined && hasLimits(limits) && 'version' in support && support.version === 1)
      this.#containers.follow(uid, group, device, limits);
    else if (uid !== undefined) this.#containers.unfollow(uid, device);
    if (group === undefined) return;
    for (const each of await cgroups.groupsOf(group)) await limitGroup(cgroups, each, device, limits);
  }

  async #limitWriteBack(device: string, limits: BlockLimits): Promise<void> {
    const { cgroups } = this.#parts;
    const group = await cgroups.writeBackGroup();
    if (group !== undefined) await limitGroup(cgroups, group, device, writesOf(limits));
  }
}
