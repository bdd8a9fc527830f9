/** Starts the process under measurement, reads its metrics and ends it. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { BerthError } from '../../kit/errors.ts';
import type { Subject } from './subject.ts';

interface Metric {
  readonly name: string;
  readonly values: readonly {
    readonly value: number;
    readonly metricName?: string;
    readonly labels: Readonly<Record<string, unknown>>;
  }[];
}

export interface SubjectProcess {
  /** The sum of a histogram in seconds, by the value of one label. */
  sums(histogram: string, label: string): Promise<ReadonlyMap<string, number>>;
  stop(): Promise<void>;
}

/** Resolves when the service serves. Its log goes to `<folder>/subject.log`, whose end is in the error when it does not. */
export async function startSubject(subject: Subject, folder: string, signal: AbortSignal): Promise<SubjectProcess> {
  const logFile = join(folder, 'subject.log');
  const log = openSync(logFile, 'w');
  const child = spawn(process.execPath, [join(import.meta.dirname, 'subject.ts'), JSON.stringify(subject)], {
    stdio: ['ignore', log, log, 'ipc'],
  });
  closeSync(log);
  const ended = once(child, 'exit');
  const answer = async (): Promise<unknown> => {
    const gone = ended.then(async () => {
      const said = (await readFile(logFile, 'utf8')).trim().split('\n').slice(-8).join('\n');
      throw new BerthError('UNAVAILABLE', `the process under measurement has ended: ${said}`);
    });
    const [message] = (await Promise.race([once(child, 'message', { signal }), gone])) as [unknown];
    return message;
  };
  const stop = async (): Promise<void> => {
    child.kill('SIGTERM');
    await ended;
  };
  try {
    await answer();
  } catch (error) {
    child.kill('SIGKILL');
    throw error;
  }
  return {
    async sums(histogram, label) {
      const next = answer();
      child.send('metrics');
      const metric = ((await next) as readonly Metric[]).find(({ name }) => name === histogram);
      const sums = (metric?.values ?? []).filter(({ metricName }) => metricName === `${histogram}_sum`);
      return new Map(sums.map(({ labels, value }) => [String(labels[label]), value]));
    },
    stop,
  };
}
