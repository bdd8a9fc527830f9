/** Which CSI calls people see among the recent ones, and what they were about. Of a request only identifiers are taken: it may carry secrets. */
import { status } from '@grpc/grpc-js';
import type { RecentCalls } from '../kit/recentcalls.ts';
import type { FinishedCall } from '../protos/handlers.ts';
import type { StorageMetrics } from './metrics.ts';

/** What the sidecars and the kubelet ask all the time; it is worth a line only when it fails. */
const asks = /^(Probe$|Validate|(Node|(Group)?Controller)?(Get|List))/;

/** The first that a request has says what it is about. */
const identifiers = ['volume_id', 'snapshot_id', 'group_snapshot_id', 'name', 'source_volume_id'] as const;

/** The metrics, with finished calls also noted. */
export function noting(calls: RecentCalls, metrics: StorageMetrics): StorageMetrics {
  const onCall = (call: FinishedCall): void => {
    metrics.onCall(call);
    noteCall(calls, call);
  };
  return { ...metrics, onCall };
}

export function noteCall(calls: RecentCalls, { method, request, code, seconds }: FinishedCall): void {
  if (code === status.OK && asks.test(method)) return;
  calls.note({ method, subject: subjectOf(request), code: status[code], seconds });
}

function subjectOf(request: unknown): string {
  const fields = request as Readonly<Record<string, unknown>>;
  const values = identifiers.map((name) => fields[name]);
  return values.find((value): value is string => typeof value === 'string' && value !== '') ?? '';
}
