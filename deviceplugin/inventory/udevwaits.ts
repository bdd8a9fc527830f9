/** Waiting for udev, which does its part some milliseconds after the kernel's event: devices are announced before. */
import { sameTexts } from './changes.ts';
import type { DeviceReading } from './sysdevice.ts';
import { readUdevEntry } from './udevdatabase.ts';

/** Milliseconds between looks at an entry. udev is mostly done within the first; rules may run programs that take longer. */
const delays = [5, 10, 20, 50, 200, 1_000, 3_000] as const;

/** Devices whose entries are still to come. */
export class UdevWaits {
  readonly #udevRoot: string;
  readonly #onReady: (devpath: string) => void;
  readonly #timers = new Map<string, NodeJS.Timeout>();

  /** Calls `onReady` when an entry says other than what has been read. */
  constructor(udevRoot: string, onReady: (devpath: string) => void) {
    this.#udevRoot = udevRoot;
    this.#onReady = onReady;
  }

  /** Waits for the entry of a device as it was read after an event. Of one that is new the first whole entry is enough. */
  expect(reading: DeviceReading, isNew: boolean): void {
    this.forget(reading.device.devpath);
    if (!isNew || !reading.initialized) this.#wait(reading, isNew, 0);
  }

  forget(devpath: string): void {
    clearTimeout(this.#timers.get(devpath));
    this.#timers.delete(devpath);
  }

  close(): void {
    for (const devpath of [...this.#timers.keys()]) this.forget(devpath);
  }

  #wait(reading: DeviceReading, isNew: boolean, attempt: number): void {
    const { devpath, udev } = reading.device;
    const delay = delays[attempt];
    if (delay === undefined) return;
    const timer = setTimeout(() => {
      this.#timers.delete(devpath);
      const entry = this.#entryOf(reading);
      if (entry === 'unreadable') {
        this.#onReady(devpath);
        return;
      }
      const whole = entry?.initialized === true;
      if (whole && !(sameTexts(entry.properties, udev) && entry.links.join('\n') === reading.links.join('\n')))
        this.#onReady(devpath);
      else if (!whole || !isNew) this.#wait(reading, isNew, attempt + 1);
    }, delay);
    timer.unref();
    this.#timers.set(devpath, timer);
  }

  /** Without descriptors nothing can be read; who reads the device as a whole tells of that and tries again. */
  #entryOf({ udevFile }: DeviceReading): ReturnType<typeof readUdevEntry> | 'unreadable' {
    try {
      return readUdevEntry(this.#udevRoot, udevFile);
    } catch {
      return 'unreadable';
    }
  }
}
