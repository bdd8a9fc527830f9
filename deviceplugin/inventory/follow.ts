/**
 * Keeps an inventory current. The kernel's events say which device to read again, what happens below /dev says when to look
 * at names, and a scan now and then is the truth behind both.
 */
import { setImmediate as turn } from 'node:timers/promises';
import { coalesce } from '../../kit/coalesce.ts';
import { messageOf } from '../../kit/errors.ts';
import type { Logger } from '../../kit/log.ts';
import type { Uevent } from '../../linux/uevent.ts';
import { openUevents } from '../../linux/uevents.ts';
import type { UeventOptions } from '../../linux/uevents.ts';
import { keepEqual } from './changes.ts';
import { watchNames } from './devwatch.ts';
import type { Inventory } from './inventory.ts';
import type { ChangeCause, InventoryChange } from './inventorychange.ts';
import { Removals } from './removals.ts';
import { readSubtrees, rereadNodes, withReadings, withoutDevices } from './reread.ts';
import { scanInventory } from './scan.ts';
import { concerns } from './sysfs.ts';
import { Todo } from './todo.ts';
import type { Look, PendingDevice } from './todo.ts';
import { UdevWaits } from './udevwaits.ts';
import type { InventoryRoots, Wants } from './wants.ts';

export interface FollowOptions {
  readonly roots: InventoryRoots;
  readonly wants: Wants;
  readonly log: Logger;
  /** Ends it. */
  readonly signal: AbortSignal;
  /** Called with every inventory that differs from the one before, the first excepted. Must not throw. */
  readonly onChange: (change: InventoryChange) => void;
  /** Opens the kernel's events; tests raise their own. Default `openUevents`. */
  readonly openEvents?: (options: UeventOptions) => void;
  /** Milliseconds between scans; default 60 s, and 2 s where the kernel's events cannot be heard. */
  readonly rescanMs?: number;
}

export interface FollowedInventory {
  readonly inventory: Inventory;
  /** Why changes are seen late, as a sentence without a subject; undefined when all is well. */
  readonly degraded: string | undefined;
  /** Rules have changed: what they name is read from now on. */
  setWants(wants: Wants): void;
}

/** Scans, and follows from then on. Throws what `scanInventory` throws, when the first scan fails. */
export async function followInventory(options: FollowOptions): Promise<FollowedInventory> {
  const failed = new AbortController();
  const follower = new Follower({ ...options, signal: AbortSignal.any([options.signal, failed.signal]) });
  try {
    await follower.start();
    return follower;
  } catch (thrown) {
    failed.abort();
    throw thrown;
  }
}

/** Until a look that failed is tried again; and until udev has done its part of a burst. */
const retryMs = 2_000;

class Follower implements FollowedInventory {
  readonly #options: FollowOptions;
  readonly #todo = new Todo();
  readonly #removals = new Removals();
  readonly #udev: UdevWaits;
  #wants: Wants;
  #inventory: Inventory = { devices: new Map(), nodes: new Map(), misfits: [], inUse: new Map() };
  #degraded: string | undefined;
  #started = false;
  #watch = new AbortController();
  #complained: string | undefined;

  constructor(options: FollowOptions) {
    this.#options = options;
    this.#wants = options.wants;
    this.#udev = new UdevWaits(options.roots.udevRoot, (devpath) => {
      this.#readSoon(devpath, { since: performance.now(), cause: 'udev', udev: 'nothing' });
    });
  }

  get inventory(): Inventory {
    return this.#inventory;
  }

  get degraded(): string | undefined {
    return this.#degraded;
  }

  async start(): Promise<void> {
    const { roots, signal } = this.#options;
    // Before the scan, so that nothing is missed between the two.
    this.#openEvents();
    this.#inventory = await scanInventory(roots, this.#wants);
    if (signal.aborted) return;
    this.#started = true;
    const rescanMs = this.#options.rescanMs ?? (this.#degraded === undefined ? 60_000 : 2_000);
    const timer = setInterval(() => {
      this.#scanSoon('rescan');
    }, rescanMs);
    timer.unref();
    signal.addEventListener('abort', () => {
      clearInterval(timer);
      this.#udev.close();
    });
    this.#watchNames();
    void this.#run();
  }

  setWants(wants: Wants): void {
    this.#wants = wants;
    this.#watch.abort();
    this.#watchNames();
    this.#scanSoon('wants');
  }

  #openEvents(): void {
    const { signal, log, openEvents = openUevents } = this.#options;
    const onLost = (reason: string): void => {
      log.warn({ event: 'device.events_lost', reason }, 'events of the kernel were lost; all devices are read again');
      this.#scanSoon('lost');
      // What udev says of so many comes within seconds.
      this.#scanLater();
    };
    try {
      openEvents({ signal, onEvent: this.#hear.bind(this), onLost });
    } catch (thrown) {
      const reason = messageOf(thrown);
      this.#degraded = `does not hear the kernel's events: ${reason}`;
      const text = 'the events of the kernel cannot be heard; devices are looked for every 2 s instead';
      log.warn({ event: 'device.events_unavailable', reason }, text);
    }
  }

  #watchNames(): void {
    this.#watch = new AbortController();
    const changed = (): void => {
      // Nobody says which device it was: where that is all there is, everything is read.
      if (this.#degraded === undefined) this.#todo.addNames(performance.now());
      else this.#todo.addAll('names', performance.now());
      void this.#run();
    };
    const signal = AbortSignal.any([this.#watch.signal, this.#options.signal]);
    watchNames(this.#options.roots.devRoot, this.#wants.globs, changed, signal);
  }

  #hear({ action, devpath, properties }: Uevent): void {
    const since = performance.now();
    if (action === 'move' && properties.DEVPATH_OLD !== undefined) this.#remove(properties.DEVPATH_OLD, since);
    if (action === 'remove') this.#remove(devpath, since);
    if (!concerns(devpath)) return;
    const udev = action === 'remove' ? 'nothing' : action === 'add' ? 'new' : 'again';
    this.#readSoon(devpath, { since, cause: 'event', udev });
  }

  #readSoon(devpath: string, device: PendingDevice): void {
    this.#todo.addDevice(devpath, device);
    void this.#run();
  }

  #scanSoon(cause: ChangeCause): void {
    this.#todo.addAll(cause, performance.now());
    void this.#run();
  }

  #scanLater(): void {
    setTimeout(() => {
      this.#scanSoon('rescan');
    }, retryMs).unref();
  }

  /** A removal waits for no look: nobody should be given what has gone. Those of one burst are announced together. */
  #remove(devpath: string, since: number): void {
    if (!concerns(devpath)) return;
    this.#udev.forget(devpath);
    if (this.#removals.add(devpath, since))
      setImmediate(() => {
        this.#announceRemovals();
      });
  }

  #announceRemovals(): void {
    const removed = this.#started ? this.#removals.take() : undefined;
    if (removed === undefined) return;
    try {
      this.#announce(this.#without(this.#inventory, removed.places), 'event', removed.since);
    } catch (thrown) {
      this.#fail(thrown);
    }
  }

  readonly #run = coalesce(async () => {
    // All that has been heard at once is worked on at once.
    await turn();
    while (this.#started && !this.#options.signal.aborted) {
      this.#announceRemovals();
      this.#removals.beginLook();
      const next = this.#todo.take();
      if (next === undefined) return;
      try {
        await this.#look(next);
        this.#complained = undefined;
      } catch (thrown) {
        this.#fail(thrown);
      }
    }
  });

  async #look(look: Look): Promise<void> {
    const { roots } = this.#options;
    if (look.kind === 'all') {
      this.#finish(await scanInventory(roots, this.#wants), look);
      if (look.cause === 'event') this.#scanLater();
    } else if (look.kind === 'names') this.#finish(await rereadNodes(this.#inventory, roots, this.#wants), look);
    else {
      const places = [...look.devices.keys()];
      const readings = await readSubtrees(roots, this.#wants, places);
      this.#finish(await withReadings(this.#inventory, roots, this.#wants, places, readings), look);
      for (const [devpath, { udev }] of look.devices) {
        const reading = readings.get(devpath);
        if (reading !== undefined && udev !== 'nothing') this.#udev.expect(reading, udev === 'new');
      }
    }
  }

  #finish(found: Inventory, { cause, since }: Look): void {
    this.#announce(this.#without(found, this.#removals.duringLook), cause, since);
  }

  #without(inventory: Inventory, places: readonly string[]): Inventory {
    return places.length === 0 ? inventory : withoutDevices(inventory, this.#options.roots, this.#wants, places);
  }

  #announce(next: Inventory, cause: ChangeCause, since: number): void {
    const inventory = keepEqual(this.#inventory, next);
    if (inventory === this.#inventory || this.#options.signal.aborted) return;
    this.#inventory = inventory;
    this.#options.onChange({ inventory, cause, since });
  }

  #fail(thrown: unknown): void {
    const reason = messageOf(thrown);
    const text = 'looking for devices failed; the devices known stay, and it is tried again';
    if (reason !== this.#complained) this.#options.log.error({ event: 'device.look_failed', reason }, text);
    this.#complained = reason;
    this.#scanLater();
  }
}
