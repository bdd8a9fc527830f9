/**
 * Reading attribute files of sysfs. A read runs code of a driver and may wait: for a USB device that is being set up, for
 * a sleeping one to wake. So it happens on libuv's workers, never on all of them, and nobody waits for ever.
 */
import { closeSync, constants, openSync, read } from 'node:fs';
import { unlessGone } from './patience.ts';

/** Bytes of a value; sysfs has no longer ones besides binary files. */
const maxValue = 4_096;
/** Of libuv's four workers; one is left for everybody else, also while reads hang. */
const maxReads = 3;
/** Milliseconds until a read is given up. Its worker is free when the kernel answers. */
const patience = 1_000;

let reads = 0;
const queue: (() => void)[] = [];
const hanging = new Set<string>();

/** The value without the line's end; undefined when there is none, it cannot be read, or not in time. */
export async function readAttribute(path: string): Promise<string | undefined> {
  while (reads >= maxReads) await new Promise<void>((resolve) => queue.push(resolve));
  reads++;
  let fd: number | undefined;
  try {
    // Opening and closing wait for nobody in sysfs; that saves two ways through the workers.
    if (!hanging.has(path)) fd = unlessGone(() => openSync(path, constants.O_RDONLY | constants.O_NONBLOCK));
  } finally {
    // Also when it has gone, or no descriptor is left: whoever waits is called once for every turn that ends.
    if (fd === undefined) endTurn();
  }
  if (fd === undefined) return undefined;
  const { promise, resolve } = Promise.withResolvers<string | undefined>();
  const giveUp = (): void => {
    hanging.add(path);
    resolve(undefined);
  };
  // A process that got no processor for a second sees the timer first, and the answer right behind it.
  let last: NodeJS.Immediate | undefined;
  const timer = setTimeout(() => (last = setImmediate(giveUp)), patience);
  read(fd, Buffer.allocUnsafe(maxValue), 0, maxValue, null, (error, length, buffer) => {
    clearTimeout(timer);
    clearImmediate(last);
    hanging.delete(path);
    closeSync(fd);
    endTurn();
    resolve(error === null ? buffer.toString('utf8', 0, length).replace(/\n$/, '') : undefined);
  });
  return await promise;
}

function endTurn(): void {
  reads--;
  queue.shift()?.();
}
