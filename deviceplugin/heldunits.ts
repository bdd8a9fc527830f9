/** Who holds which unit, ready to be asked for each of thousands: the answers of the kubelet turned round once. */
import type { Holder, Holders } from './plugin/holders.ts';
import { unitIdOf } from './plugin/deviceid.ts';

export class HeldUnits {
  readonly #known: boolean;
  readonly #holders = new Map<string, Holder[]>();

  /** Undefined while the kubelet has not said anything yet. */
  constructor(holders: Holders | undefined) {
    this.#known = holders !== undefined;
    for (const [resource, devices] of holders ?? [])
      for (const [device, each] of devices) {
        const key = keyOf(resource, unitIdOf(device));
        this.#holders.set(key, [...(this.#holders.get(key) ?? []), ...each]);
      }
  }

  of(resource: string, id: string): readonly Holder[] {
    return this.#holders.get(keyOf(resource, id)) ?? [];
  }

  /** True also while nobody knows: what may be in a pod is not taken away. */
  isHeld(resource: string, id: string): boolean {
    return !this.#known || this.#holders.has(keyOf(resource, id));
  }
}

function keyOf(resource: string, id: string): string {
  return `${resource} ${id}`;
}
