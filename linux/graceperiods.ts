/**
 * How long the kernel waits for the readers of what it changes. A freeze waits for three such grace periods of RCU one after another,
 * 10 ms each, while writers stand still; hurried, for 1 ms in all. Hurried ones interrupt the other processors, so they are for a
 * moment only (Documentation/admin-guide/kernel-parameters.txt, rcupdate.rcu_expedited). A real-time kernel hurries never.
 */
import { readFileSync, writeFileSync } from 'node:fs';

/** The machine's grace periods. Synchronous: one byte of sysfs. */
export interface GracePeriods {
  /** Whether they are as long as the kernel likes, and `hurry` would change that. False also where nobody may say. */
  areLong(): boolean;
  hurry(): void;
  /** Lets them be as long as the kernel likes. */
  relax(): void;
}

/** Those of this kernel, by `file`. What it does not have, or does not let us say, stays as it is: it is only slower. */
export function kernelGracePeriods(file = '/sys/kernel/rcu_expedited'): GracePeriods {
  const say = (value: string): void => {
    try {
      writeFileSync(file, value, { flag: 'r+' });
    } catch {
      // Read-only, or not there.
    }
  };
  return {
    areLong: () => {
      try {
        return readFileSync(file, 'latin1').trim() === '0';
      } catch {
        return false;
      }
    },
    hurry: () => {
      say('1');
    },
    relax: () => {
      say('0');
    },
  };
}
