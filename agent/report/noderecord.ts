/**
 * Keeps the BerthNode of this node true: made with the Node as its owner, its status written when something has changed and
 * not otherwise, corrected when somebody else has written it. Nothing on the node depends on it.
 */
import { isDeepStrictEqual } from 'node:util';
import { delayOf } from '../../kit/backoff.ts';
import type { BackoffSchedule } from '../../kit/backoff.ts';
import { BerthError, messageOf } from '../../kit/errors.ts';
import type { Logger } from '../../kit/log.ts';
import type { ApiClient } from '../kubernetes/client.ts';
import type { ApiObject } from '../kubernetes/transport.ts';
import type { NodeCondition, NodeStatus } from './nodestatus.ts';

export interface NodeRecordParts {
  readonly client: Pick<ApiClient, 'get' | 'create' | 'operate'>;
  readonly nodeName: string;
  readonly log: Logger;
  readonly timings?: RecordTimings;
}

/** Milliseconds. Tests give others. */
interface RecordTimings {
  /** What only counts (addresses in use, room) is written so seldom; conditions and what the doctor found at once. */
  readonly counts: number;
  /** After which the object is read again: others may have changed or deleted it. */
  readonly recheck: number;
}

const defaultTimings: RecordTimings = { counts: 60_000, recheck: 600_000 };

/** Without the CRD, or without an API server, all nodes would ask for ever. */
const backoff: BackoffSchedule = [5_000, 10_000, 30_000, 60_000, 300_000];

const apiVersion = 'berth.dev/v1alpha1';
const collection = `/apis/${apiVersion}/berthnodes`;

interface TimedCondition extends NodeCondition {
  readonly lastTransitionTime: string;
}

export class NodeRecord {
  readonly #parts: NodeRecordParts;
  readonly #timings: RecordTimings;
  #written: NodeStatus | undefined;
  #writtenAt = -Infinity;
  #readAt = -Infinity;
  #conditions: readonly TimedCondition[] = [];
  #failure = '';
  #failures = 0;
  #notBefore = -Infinity;

  constructor(parts: NodeRecordParts) {
    this.#parts = parts;
    this.#timings = parts.timings ?? defaultTimings;
  }

  /** Writes it if it is time to. Never throws. */
  async keep(status: NodeStatus, signal: AbortSignal): Promise<void> {
    if (performance.now() >= this.#notBefore && this.#isDue(status)) await this.#write(status, signal);
  }

  /** Says that nobody looks any more, where something was said. Never throws. */
  async close(signal: AbortSignal): Promise<void> {
    if (this.#written === undefined) return;
    const message = 'the agent was stopped; pods keep what they have';
    const conditions = this.#written.conditions.map((condition): NodeCondition => {
      return { ...condition, status: 'Unknown', reason: 'AgentStopped', message };
    });
    await this.#write({ ...this.#written, conditions }, signal);
  }

  #isDue(status: NodeStatus): boolean {
    const now = performance.now();
    const { counts, recheck } = this.#timings;
    if (this.#written === undefined || now - this.#readAt >= recheck) return true;
    const told = ({ conditions, doctor }: NodeStatus): unknown => [conditions, doctor];
    if (!isDeepStrictEqual(told(status), told(this.#written))) return true;
    return now - this.#writtenAt >= counts && !isDeepStrictEqual(status, this.#written);
  }

  async #write(status: NodeStatus, signal: AbortSignal): Promise<void> {
    const { client, nodeName, log } = this.#parts;
    const path = `${collection}/${encodeURIComponent(nodeName)}`;
    try {
      const due = this.#written === undefined || performance.now() - this.#readAt >= this.#timings.recheck;
      const found = due ? await this.#find(path, signal) : undefined;
      if (found !== undefined) this.#conditions = conditionsOf(found);
      const body = this.#timed(status);
      if (found === undefined || !isDeepStrictEqual(found['status'], body)) {
        // The whole of it is ours: what others have added goes.
        const object = await client.operate(`${path}/status`, [{ op: 'add', path: '/status', value: body }], signal);
        this.#conditions = conditionsOf(object);
      }
      this.#written = status;
      this.#writtenAt = performance.now();
      if (this.#failure !== '') log.info({ event: 'report.written' }, 'the BerthNode is written again');
      this.#failure = '';
      this.#failures = 0;
    } catch (error) {
      // What is there is not known any more; the next look begins anew.
      this.#written = undefined;
      this.#notBefore = performance.now() + delayOf(backoff, this.#failures++);
      const why = messageOf(error);
      if (!signal.aborted && why !== this.#failure) log.warn({ event: 'report.failed' }, hint(error, why));
      this.#failure = why;
    }
  }

  /** The object as it is, made where there is none. */
  async #find(path: string, signal: AbortSignal): Promise<ApiObject> {
    const { client, nodeName } = this.#parts;
    const found = await client.get(path, signal).catch((error: unknown) => {
      if (error instanceof BerthError && error.code === 'NOT_FOUND') return undefined;
      throw error;
    });
    const owned = (found?.['metadata'] as { readonly ownerReferences?: unknown } | undefined)?.ownerReferences;
    let object = found;
    if (object === undefined || owned === undefined) {
      const node = await client.get(`/api/v1/nodes/${encodeURIComponent(nodeName)}`, signal);
      const { uid } = node['metadata'] as { readonly uid?: string };
      // It goes with the Node.
      const owners = [{ apiVersion: 'v1', kind: 'Node', name: nodeName, uid }];
      const metadata = { name: nodeName, ownerReferences: owners };
      object =
        object === undefined
          ? await client.create(collection, { apiVersion, kind: 'BerthNode', metadata }, signal)
          : await client.operate(path, [{ op: 'add', path: '/metadata/ownerReferences', value: owners }], signal);
    }
    this.#readAt = performance.now();
    return object;
  }

  /** With the time since when each condition has been so. */
  #timed(status: NodeStatus): object {
    const now = new Date().toISOString().replace(/\.\d+Z$/, 'Z');
    const conditions = status.conditions.map((condition): TimedCondition => {
      const before = this.#conditions.find(({ type }) => type === condition.type);
      const lastTransitionTime = before?.status === condition.status ? before.lastTransitionTime : now;
      return { ...condition, lastTransitionTime };
    });
    return { ...status, conditions };
  }
}

function conditionsOf(object: ApiObject): readonly TimedCondition[] {
  const { conditions } = (object['status'] ?? {}) as { readonly conditions?: unknown };
  return Array.isArray(conditions) ? (conditions as readonly TimedCondition[]) : [];
}

function hint(error: unknown, why: string): string {
  const absent = error instanceof BerthError && error.code === 'NOT_FOUND';
  return `what this node has is not told to the cluster: ${why}${absent ? '; apply the CRD berthnodes.berth.dev' : ''}`;
}
