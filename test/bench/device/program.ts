/** A program under measurement that registers with a kubelet: started, asked for its memory, ended. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { BerthError } from '../../../kit/errors.ts';

export interface Program {
  /** Resident memory in MiB. */
  rss(): Promise<number>;
  /** Ends it by SIGTERM and waits until it has. */
  stop(): Promise<void>;
  /** Resolves with `done`, unless the program ends before: then it throws the end of its log. */
  alive<T>(done: Promise<T>): Promise<T>;
}

/** Starts it with its output in a file. */
export function startProgram([command = '', ...args]: readonly string[], logFile: string): Program {
  const log = openSync(logFile, 'w');
  const child = spawn(command, args, { stdio: ['ignore', log, log] });
  closeSync(log);
  const gone = once(child, 'exit').then(async () => {
    const said = (await readFile(logFile, 'utf8')).trim().split('\n').slice(-8).join('\n');
    throw new BerthError('UNAVAILABLE', `${command} has ended: ${said}`);
  });
  gone.catch(() => undefined);
  return {
    rss: async () => {
      const status = await readFile(`/proc/${child.pid}/status`, 'utf8');
      return Math.round((Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1]) / 1024) * 10) / 10;
    },
    stop: async () => {
      child.kill('SIGTERM');
      await gone.catch(() => undefined);
    },
    alive: (done) => Promise.race([done, gone]),
  };
}
