/**
 * The Node's condition NetworkUnavailable: False while the pod network serves, True once it has not for a while. Kubernetes
 * keeps new pods from a node where it is True. It is the agent's last word: while none runs, pods have their network.
 */
import { pause } from '../kit/backoff.ts';
import { messageOf } from '../kit/errors.ts';
import type { Logger } from '../kit/log.ts';
import type { ApiClient } from './kubernetes/client.ts';
import type { ApiObject } from './kubernetes/transport.ts';

export interface NetworkConditionParts {
  readonly client: Pick<ApiClient, 'get' | 'patch'>;
  readonly nodeName: string;
  /** Why the pod network does not serve, or undefined. */
  readonly notReady: () => string | undefined;
  readonly log: Logger;
  /** Milliseconds between two looks. */
  readonly everyMs?: number;
  /** Milliseconds without network before it is said: an agent that starts takes a moment, and nothing is wrong. */
  readonly patienceMs?: number;
  /** Milliseconds after which the Node is read again: it may have been deleted and registered anew. */
  readonly recheckMs?: number;
}

interface Condition {
  readonly status: 'True' | 'False';
  readonly reason: string;
  readonly message: string;
}

const conditionType = 'NetworkUnavailable';
const well: Condition = { status: 'False', reason: 'BerthNetworkReady', message: 'Berth serves the pod network' };

export class NetworkCondition {
  readonly #parts: NetworkConditionParts;
  readonly #end = new AbortController();
  #loop: Promise<void> = Promise.resolve();
  #written = '';
  #checked = -Infinity;
  #failure = '';

  constructor(parts: NetworkConditionParts) {
    this.#parts = parts;
  }

  start(): void {
    this.#loop = this.#watch();
  }

  /** Writes nothing any more. */
  async stop(): Promise<void> {
    this.#end.abort();
    await this.#loop;
  }

  async #watch(): Promise<void> {
    const { notReady, everyMs = 2_000, patienceMs = 15_000 } = this.#parts;
    const { signal } = this.#end;
    let brokenSince: number | undefined;
    while (!signal.aborted) {
      const reason = notReady();
      brokenSince = reason === undefined ? undefined : (brokenSince ?? performance.now());
      if (reason === undefined) await this.#write(well);
      else if (performance.now() - (brokenSince ?? 0) >= patienceMs)
        await this.#write({ status: 'True', reason: 'BerthNetworkNotReady', message: reason.slice(0, 1_000) });
      await pause(everyMs, signal);
    }
  }

  /** Writes only what the Node does not say already: it is a large object that many watch. */
  async #write(condition: Condition): Promise<void> {
    const text = JSON.stringify(condition);
    const { client, nodeName, log, recheckMs = 300_000 } = this.#parts;
    if (text === this.#written && performance.now() - this.#checked < recheckMs) return;
    const { signal } = this.#end;
    const path = `/api/v1/nodes/${encodeURIComponent(nodeName)}`;
    try {
      const present = presentCondition(await client.get(path, signal));
      const { status, reason, message } = present ?? {};
      if (JSON.stringify({ status, reason, message }) !== text) {
        const now = new Date().toISOString();
        // The time since when it has been so.
        const lastTransitionTime = (status === condition.status ? present?.['lastTransitionTime'] : undefined) ?? now;
        const full = { type: conditionType, ...condition, lastHeartbeatTime: now, lastTransitionTime };
        await client.patch(`${path}/status`, { status: { conditions: [full] } }, signal);
        log.info({ event: 'network.condition', ...condition }, 'the Node says whether pods have a network');
      }
      this.#written = text;
      this.#checked = performance.now();
      this.#failure = '';
    } catch (error) {
      // The next look tries again.
      if (this.#end.signal.aborted) return;
      const why = messageOf(error);
      if (why !== this.#failure) log.warn({ event: 'network.condition_failed' }, why);
      this.#failure = why;
    }
  }
}

/** What the Node says now. */
function presentCondition(node: ApiObject): ApiObject | undefined {
  const { conditions } = (node['status'] ?? {}) as { readonly conditions?: unknown };
  return (Array.isArray(conditions) ? (conditions as readonly ApiObject[]) : []).find(
    (condition) => condition['type'] === conditionType,
  );
}
