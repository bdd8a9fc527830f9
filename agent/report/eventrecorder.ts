/** Writes events of the API group events.k8s.io: best effort, each cause once, and never many. */
import { randomBytes } from 'node:crypto';
import { messageOf } from '../../kit/errors.ts';
import type { Logger } from '../../kit/log.ts';
import type { ApiClient } from '../kubernetes/client.ts';
import type { Happening } from './happenings.ts';

export interface EventRecorderParts {
  readonly client: Pick<ApiClient, 'create'>;
  readonly nodeName: string;
  readonly log: Logger;
  /** Milliseconds since 1970. */
  readonly now?: () => number;
}

/** The same is not told again within an hour: a device with a loose contact is one cause. */
const quietMs = 3_600_000;
/** As many at once, and one more each 20 s: a node that goes to pieces must not drown the API server. */
const burst = 25;
const refillMs = 20_000;
const longestNote = 1_024;

export class EventRecorder {
  readonly #parts: EventRecorderParts;
  readonly #told = new Map<string, number>();
  #tokens = burst;
  #filledAt: number;

  constructor(parts: EventRecorderParts) {
    this.#parts = parts;
    this.#filledAt = this.#now();
  }

  /** Never throws. What could not be written is in the log. */
  async record(happening: Happening, signal: AbortSignal): Promise<void> {
    const { client, nodeName, log } = this.#parts;
    const { regarding, type, reason, action, note } = happening;
    if (!this.#mayTell(JSON.stringify(happening))) return;
    // Events about what has no namespace are in this one.
    const namespace = regarding.namespace ?? 'default';
    const event = {
      apiVersion: 'events.k8s.io/v1',
      kind: 'Event',
      metadata: { name: `${regarding.name.slice(0, 200)}.${randomBytes(8).toString('hex')}`, namespace },
      eventTime: new Date(this.#now()).toISOString().replace('Z', '000Z'),
      reportingController: 'berth.dev/agent',
      reportingInstance: nodeName.slice(0, 128),
      ...{ type, reason, action, note: note.slice(0, longestNote) },
      regarding: { apiVersion: 'v1', ...regarding },
    };
    try {
      await client.create(`/apis/events.k8s.io/v1/namespaces/${encodeURIComponent(namespace)}/events`, event, signal);
    } catch (error) {
      if (!signal.aborted)
        log.warn({ event: 'report.event_failed', reason, note }, `an event was not told: ${messageOf(error)}`);
    }
  }

  #mayTell(key: string): boolean {
    const now = this.#now();
    for (const [old, at] of this.#told) if (now - at >= quietMs) this.#told.delete(old);
    if (this.#told.has(key)) return false;
    const refilled = Math.floor((now - this.#filledAt) / refillMs);
    if (refilled > 0) {
      this.#tokens = Math.min(burst, this.#tokens + refilled);
      this.#filledAt += refilled * refillMs;
    }
    if (this.#tokens === 0) return false;
    this.#tokens--;
    this.#told.set(key, now);
    return true;
  }

  #now(): number {
    return (this.#parts.now ?? Date.now)();
  }
}
