/** Loop devices without a file behind them: real new hardware, as far as the kernel, its events and /dev are concerned. */
import { closeSync, existsSync, openSync } from 'node:fs';
import { errnoOf } from '../../kit/errors.ts';
import { check, libc } from '../../linux/libc.ts';

const ioctl = libc('int ioctl(int fd, unsigned long request, long argument)');
const LOOP_CTL_ADD = 0x4c80;
const LOOP_CTL_REMOVE = 0x4c81;
const openTries = 200;
const openWaitMs = 10;

/**
 * Devices numbered from `first` on: so high that nobody's LOOP_CTL_GET_FREE finds them, and within the kernel's 20 bits. They
 * outlive the process that made them, so `close` belongs where it is reached whatever happens.
 */
export class LoopDevices {
  readonly first: number;
  readonly #control = openSync('/dev/loop-control', 'r+');
  readonly #there = new Set<number>();

  constructor(first: number) {
    this.first = first;
  }

  path(index: number): string {
    return `/dev/loop${this.first + index}`;
  }

  /** When it returns there is the node, and the event is on its way. */
  add(index: number): void {
    const number = this.first + index;
    check(ioctl(this.#control, LOOP_CTL_ADD, number), 'LOOP_CTL_ADD', `${number}`);
    this.#there.add(index);
  }

  remove(index: number): void {
    const number = this.first + index;
    for (let attempt = 0; ; attempt++) {
      try {
        check(ioctl(this.#control, LOOP_CTL_REMOVE, number), 'LOOP_CTL_REMOVE', `${number}`);
        break;
      } catch (error) {
        // Whoever has seen the new device may be looking at it for some milliseconds; the kernel has no way to wait for that.
        if (errnoOf(error) !== 'EBUSY' || attempt === openTries) throw error;
        Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, openWaitMs);
      }
    }
    this.#there.delete(index);
  }

  /** Removes what was added, and with `upTo` also what another has left of so many. */
  close(upTo = 0): void {
    for (let index = 0; index < upTo; index++) if (existsSync(this.path(index))) this.#there.add(index);
    for (const index of [...this.#there]) this.remove(index);
    closeSync(this.#control);
  }
}
