/** Who holds which unit, ready to be asked for each of thousands: the answers of the kubelet turned round once. */
import type { Holder, Holders } from './plugin/holders.ts';
import { unitIdOf } from './plugin/deviceid.ts';
import { unitIdPattern } from './units/unitid.ts';

export class HeldUnits {
  readonly #known: boolean;
  readonly #holders = new Map<string, Map<string, Holder[]>>();

  /** Undefined while the kubelet has not said anything yet. */
  constructor(holders: Holders | undefined) {
    this.#known = holders !== undefined;
    for (const [resource, devices] of holders ?? []) {
      const units = new Map<string, Holder[]>();
      this.#holders.set(resource, units);
      for (const [device, each] of devices) {
        const unit = unitIdOf(device);
        const all = units.get(unit);
        if (all === undefined) units.set(unit, [...each]);
        else all.push(...each);
      }
    }
  }

  of(resource: string, id: string): readonly Holder[] {
    return this.#holders.get(resource)?.get(id) ?? [];
  }

  /** True also while nobody knows: what may be in a pod is not taken away. */
  isHeld(resource: string, id: string): boolean {
    return !this.#known || this.#holders.get(resource)?.has(id) === true;
  }

  /** The units of a resource that somebody holds; not what another plugin gave away under this name before. */
  idsOf(resource: string): readonly string[] {
    return [...(this.#holders.get(resource)?.keys() ?? [])].filter((id) => unitIdPattern.test(id));
  }
}
