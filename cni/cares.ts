/** What the pod network looks after while it runs: everything it put on the node that somebody else can take away. */
import type { NetworkConfig } from './config.ts';
import { installConflist, installExecutable } from './install.ts';
import type { CallQueue } from './queue/callqueue.ts';
import type { Reaper } from './reaper.ts';
import type { RivalWatch } from './rivals.ts';
import type { TableCare } from './tablecare.ts';
import type { Care } from './upkeep.ts';

export interface CareParts {
  readonly config: NetworkConfig;
  readonly shimPath: string;
  /** Makes the node forward what pods send; returns whether it did not. */
  readonly keepForwarding: () => Promise<boolean>;
  readonly table: TableCare;
  readonly queue: CallQueue;
  readonly reaper: Reaper;
  readonly rivals: RivalWatch;
  /** Milliseconds between two looks of the reaper. */
  readonly reapEveryMs: number;
}

export function networkCares({
  config,
  shimPath,
  keepForwarding,
  table,
  queue,
  reaper,
  rivals,
  reapEveryMs,
}: CareParts): readonly Care[] {
  return [
    // Within a second of a foreign flush pods have their masquerade again, also when a look takes long.
    { what: 'table', everyMs: 400, carriesPods: true, mend: () => table.mend() },
    { what: 'forwarding', everyMs: 1_000, carriesPods: true, mend: keepForwarding },
    { what: 'conflist', everyMs: 1_000, mend: () => installConflist(config) },
    { what: 'executable', everyMs: 1_000, mend: () => installExecutable(shimPath, config.cniBinDir) },
    {
      what: 'attachments',
      everyMs: reapEveryMs,
      mend: async () => {
        await reaper.look();
        return false;
      },
    },
    {
      what: 'rivals',
      everyMs: 5_000,
      mend: async () => {
        await rivals.look();
        return false;
      },
    },
    {
      what: 'queue',
      everyMs: 5_000,
      mend: async () => {
        await queue.retry();
        return false;
      },
    },
  ];
}
