/**
 * Limits of containers that start after their pod's volumes are there, or start again. cgroup v1 only: there a limit holds for the
 * processes of one group, and each container has a group of its own, which the runtime makes when it starts the container.
 */
import { watchDirectory } from '../kit/directorywatch.ts';
import { BerthError, errnoOf, messageOf } from '../kit/errors.ts';
import type { Logger } from '../kit/log.ts';
import type { BlockCgroups, BlockLimits } from '../linux/blockcgroup.ts';
import { hasLimits } from './iolimits.ts';

/** Events tell of new containers at once; this is for events that get lost, and for groups that containers make inside. */
const lookMs = 5_000;

/**
 * Gives the device the limits in the group. A group or a device that went meanwhile needs none; nor does a group without the
 * kernel's files when there is no limit to set.
 */
export async function limitGroup(
  cgroups: BlockCgroups,
  group: string,
  device: string,
  limits: BlockLimits,
): Promise<void> {
  try {
    await cgroups.set(group, device, limits);
  } catch (error) {
    const gone = ['ENOENT', 'ENODEV'].includes(errnoOf(error) ?? '');
    if (!gone && (hasLimits(limits) || !(error instanceof BerthError))) throw error;
  }
}

export class ContainerLimits {
  readonly #parts: { readonly cgroups: BlockCgroups; readonly log: Logger };
  /** By the pod's UID: the limits of each device, and what ends the looking. */
  readonly #pods = new Map<string, { readonly devices: Map<string, BlockLimits>; readonly end: AbortController }>();

  constructor(parts: { readonly cgroups: BlockCgroups; readonly log: Logger }) {
    this.#parts = parts;
  }

  /** Every group that appears below the pod's gets the device's limits from now on. */
  follow(uid: string, group: string, device: string, limits: BlockLimits): void {
    const followed = this.#pods.get(uid);
    if (followed !== undefined) {
      followed.devices.set(device, limits);
      return;
    }
    const devices = new Map([[device, limits]]);
    const end = new AbortController();
    this.#pods.set(uid, { devices, end });
    const limited = new Set<string>();
    const look = async (): Promise<void> => {
      try {
        for (const each of await this.#parts.cgroups.groupsOf(group)) {
          if (limited.has(each)) continue;
          await this.#limit(each, devices);
          limited.add(each);
        }
      } catch (error) {
        const reason = messageOf(error);
        this.#parts.log.error({ event: 'limits.failed', pod: uid, reason }, 'a container goes without I/O limits');
      }
    };
    watchDirectory(group, look, { signal: end.signal, pollMs: lookMs });
  }

  unfollow(uid: string, device: string): void {
    const followed = this.#pods.get(uid);
    followed?.devices.delete(device);
    if (followed?.devices.size !== 0) return;
    followed.end.abort();
    this.#pods.delete(uid);
  }

  stop(): void {
    for (const { end } of this.#pods.values()) end.abort();
    this.#pods.clear();
  }

  async #limit(group: string, devices: ReadonlyMap<string, BlockLimits>): Promise<void> {
    for (const device of [...devices.keys()]) {
      let limits: BlockLimits | undefined;
      do {
        limits = devices.get(device);
        await limitGroup(this.#parts.cgroups, group, device, limits ?? {});
        // Changed meanwhile: whoever did so has set the new ones, perhaps before these.
      } while (devices.get(device) !== limits);
    }
  }
}
