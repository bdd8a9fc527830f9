/** Devices that come and go for real: compressed memory (zram) and loop devices, made and removed on the kernel of this machine. */
import { closeSync, existsSync, openSync, readFileSync, writeFileSync } from 'node:fs';
import { check, libc } from '../../linux/libc.ts';

const ioctl = libc('int ioctl(int fd, unsigned long request, long argument)');
const LOOP_CTL_ADD = 0x4c80;
const LOOP_CTL_REMOVE = 0x4c81;

/** Numbers for loop devices of this run: so high that nobody finds them who looks for a free one, and nobody else's. */
export function loopNumbers(count: number): readonly number[] {
  const first = 300_000 + 10 * (process.pid % 10_000);
  return Array.from({ length: count }, (_, index) => first + index);
}

/** Makes /dev/loopN. */
export function addLoop(number: number): void {
  if (!existsSync(`/sys/block/loop${number}`)) controlLoop(LOOP_CTL_ADD, number);
}

export function removeLoop(number: number): void {
  if (existsSync(`/sys/block/loop${number}`)) controlLoop(LOOP_CTL_REMOVE, number);
}

function controlLoop(request: number, number: number): void {
  const control = openSync('/dev/loop-control', 'r+');
  try {
    check(ioctl(control, request, number), 'LOOP_CTL', `loop${number}`);
  } finally {
    closeSync(control);
  }
}

const zramControl = '/sys/class/zram-control';

/** Makes a zram device, without a size, and returns its number: the lowest free one, or the one that is asked for. */
export function addZram(wanted?: number): number {
  const others: number[] = [];
  try {
    for (;;) {
      // Reading makes one.
      const number = Number(readFileSync(`${zramControl}/hot_add`, 'utf8'));
      if (wanted === undefined || number === wanted) return number;
      others.push(number);
      if (number > wanted) throw new Error(`/dev/zram${wanted} is somebody else's`);
    }
  } finally {
    others.forEach(removeZram);
  }
}

export function removeZram(number: number): void {
  if (!existsSync(`/sys/block/zram${number}`)) return;
  resetZram(number);
  writeFileSync(`${zramControl}/hot_remove`, `${number}`);
}

/** Gives it memory: its attribute `initstate` is 1 from then on. */
export function sizeZram(number: number): void {
  writeFileSync(`/sys/block/zram${number}/disksize`, '16M');
}

/** Takes its memory: `initstate` is 0 again. */
export function resetZram(number: number): void {
  writeFileSync(`/sys/block/zram${number}/reset`, '1');
}
