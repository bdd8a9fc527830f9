/** What a follower of an inventory has still to look at, and which look comes next. Pure but for its own memory. */

import type { ChangeCause } from './inventorychange.ts';

/** A device that is to be read. */
export interface PendingDevice {
  readonly since: number;
  readonly cause: 'event' | 'udev';
  /** Whether udev has something to say after this event; `new` of a device that was not there before. */
  readonly udev: 'new' | 'again' | 'nothing';
}

/** One look; `since` is when the first of what led to it was heard of. */
export type Look =
  | { readonly kind: 'all'; readonly cause: ChangeCause; readonly since: number }
  | { readonly kind: 'names'; readonly cause: ChangeCause; readonly since: number }
  | {
      readonly kind: 'devices';
      readonly cause: ChangeCause;
      readonly since: number;
      readonly devices: ReadonlyMap<string, PendingDevice>;
    };

/** Devices that are read one by one; with more of them a scan is quicker. */
const maxDevices = 256;

export class Todo {
  #all: Look | undefined;
  #devices = new Map<string, PendingDevice>();
  #names: number | undefined;

  addAll(cause: ChangeCause, since: number): void {
    this.#all ??= { kind: 'all', cause, since };
  }

  addNames(since: number): void {
    this.#names ??= since;
  }

  addDevice(devpath: string, device: PendingDevice): void {
    const before = this.#devices.get(devpath);
    const udev = before?.udev === 'new' && device.udev === 'again' ? 'new' : device.udev;
    this.#devices.set(devpath, { ...device, udev, since: before?.since ?? device.since });
  }

  /** The next look, the most thorough first: it does for those it covers. Undefined when there is nothing to do. */
  take(): Look | undefined {
    const devices = this.#devices;
    const [first] = devices.values();
    const names = this.#names;
    if (this.#all !== undefined || devices.size > maxDevices) {
      const look = this.#all ?? { kind: 'all', cause: 'event', since: first?.since ?? 0 };
      this.#all = undefined;
      this.#devices = new Map();
      this.#names = undefined;
      return look;
    }
    if (first !== undefined) {
      this.#devices = new Map();
      const cause = [...devices.values()].some((device) => device.cause === 'event') ? 'event' : 'udev';
      return { kind: 'devices', devices, cause, since: first.since };
    }
    this.#names = undefined;
    return names === undefined ? undefined : { kind: 'names', cause: 'names', since: names };
  }
}
