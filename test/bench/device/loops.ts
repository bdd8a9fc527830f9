/** The loop devices of a run: ten numbers of its own, found again by whoever cleans up after it. */
import { LoopDevices } from '../../kernel/loopdevices.ts';

export const loopsOfRun = 10;

function firstOf(run: number): number {
  return 950_000 + (run % 1_000) * loopsOfRun;
}

export function openLoops(run: number): LoopDevices {
  return new LoopDevices(firstOf(run));
}

/** A pattern of their paths, as both sides understand it: nobody else's device is among them. */
export function loopGlob(run: number): string {
  return `/dev/loop${firstOf(run) / loopsOfRun}?`;
}

export function closeLoops(run: number): void {
  openLoops(run).close(loopsOfRun);
}
