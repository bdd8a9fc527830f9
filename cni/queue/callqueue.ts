/** The queue of calls as the service sees it: replayed before anything else is done, and again while something stays in it. */
import { join } from 'node:path';
import { Counter } from 'prom-client';
import type { Registry } from 'prom-client';
import type { Logger } from '../../kit/log.ts';
import type { Handler, Reply } from '../server.ts';
import { queueFolder } from './entry.ts';
import { replayQueue } from './replay.ts';
import type { QueuedCall, ReplayResult } from './replay.ts';

export type QueueCounter = (result: ReplayResult) => void;

/** The queue's metric. */
export function createQueueCounter(registry: Registry): QueueCounter {
  const replayed = new Counter({
    name: 'berth_cni_queue_replayed_total',
    help: 'CNI calls that were queued while no agent ran, by what became of them: done, kept for another try, refused.',
    labelNames: ['result'],
    registers: [registry],
  });
  return (result) => {
    replayed.inc({ result });
  };
}

export class CallQueue {
  readonly #replay: () => Promise<number>;
  readonly #opened = Promise.withResolvers<undefined>();
  #kept = 0;

  /** `perform` does a queued call as one from the socket is done; it never rejects. */
  constructor(runDir: string, perform: (call: QueuedCall) => Promise<Reply>, count: QueueCounter, log: Logger) {
    const [folder, refusedFolder] = [join(runDir, queueFolder), join(runDir, 'refused')];
    this.#replay = () => replayQueue({ folder, refusedFolder, perform, count, log });
  }

  /** The handler for the socket: its calls wait until the queue has been replayed for the first time. */
  before(handler: Handler): Handler {
    return async (variables, stdin) => {
      await this.#opened.promise;
      return await handler(variables, stdin);
    };
  }

  /** To be called once the socket listens: what was asked before then is in the queue. Never rejects. */
  async replay(): Promise<void> {
    this.#kept = await this.#replay();
    this.#opened.resolve(undefined);
  }

  /** Tries again what failed for a reason that may have passed. */
  async retry(): Promise<void> {
    if (this.#kept > 0) await this.replay();
  }
}
