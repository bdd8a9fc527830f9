/**
 * Keeps the file of identities as what is remembered. After the fact: a crash in between forgets which of two like devices came
 * first, no more, and no device waits for a disk.
 */
import { mkdir } from 'node:fs/promises';
import { dirname } from 'node:path';
import { coalesce } from '../kit/coalesce.ts';
import { messageOf } from '../kit/errors.ts';
import type { Logger } from '../kit/log.ts';
import { saveIdentityMemory } from './units/identitymemory.ts';
import type { IdentityMemory } from './units/memory.ts';

export interface IdentityKeeper {
  /** What is to be in the file from now on; nothing happens where it is. */
  keep(memory: IdentityMemory): void;
  /** Tries for the last time. Never throws. */
  stop(memory: IdentityMemory): Promise<void>;
}

/** Until a full disk is tried again. */
const retryMs = 30_000;

/** `memory` is what the file has. */
export function createIdentityKeeper(path: string, memory: IdentityMemory, log: Logger): IdentityKeeper {
  let saved = memory;
  let wanted = memory;
  let retry: NodeJS.Timeout | undefined;
  let told = '';
  let stopped = false;
  const save = coalesce(async () => {
    clearTimeout(retry);
    const next = wanted;
    if (next === saved) return;
    try {
      await mkdir(dirname(path), { recursive: true, mode: 0o700 });
      await saveIdentityMemory(path, next);
      saved = next;
      told = '';
    } catch (thrown) {
      const reason = messageOf(thrown);
      if (reason !== told)
        log.warn(
          { event: 'device.memory_not_saved', path, reason },
          'identities of devices could not be saved; it is tried again',
        );
      told = reason;
      if (!stopped) retry = setTimeout(() => void save(), retryMs).unref();
    }
  });
  return {
    keep: (next) => {
      if (next === wanted) return;
      wanted = next;
      void save();
    },
    stop: async (last) => {
      wanted = last;
      stopped = true;
      await save();
      clearTimeout(retry);
    },
  };
}
