/** Deletes links together: each deletion waits for an RCU grace period (some 20 ms), a hundred in one batch hardly longer. */
import { RouteError, largestBatch } from '../linux/rtnetlink/rtnetlink.ts';
import type { RouteSocket } from '../linux/rtnetlink/rtnetlink.ts';
import { deleteLinksRequests } from './plan.ts';

interface Waiting {
  readonly index: number;
  readonly done: (error?: Error) => void;
}

export class LinkRemover {
  readonly #host: RouteSocket;
  #waiting: Waiting[] = [];
  #running = false;

  /** `host` is used for nothing else, so that nobody waits behind a deletion. */
  constructor(host: RouteSocket) {
    this.#host = host;
  }

  /** Resolves when the link is gone; a link that was gone before is fine. */
  remove(index: number): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({
        index,
        done: (error) => {
          if (error === undefined) resolve();
          else reject(error);
        },
      });
      if (!this.#running) void this.#run();
    });
  }

  /** Takes all who wait, again and again: the first goes at once, the others share the next batch. */
  async #run(): Promise<void> {
    this.#running = true;
    while (this.#waiting.length > 0) {
      const batch = this.#waiting.splice(0, largestBatch - 1);
      let failed: Error | undefined;
      try {
        await this.#host.apply(deleteLinksRequests(batch.map(({ index }) => index)));
      } catch (error) {
        // One that vanished by itself, with its namespace; the others were deleted all the same.
        if (!(error instanceof RouteError && error.code === 'ENODEV'))
          failed = error instanceof Error ? error : new Error(String(error));
      }
      for (const { done } of batch) done(failed);
    }
    this.#running = false;
  }
}
