/** Which calls of the kubelet people see among the recent ones, and what they were about. */
import { status } from '@grpc/grpc-js';
import type { RecentCalls } from '../kit/recentcalls.ts';
import type { FinishedCall } from '../protos/handlers.ts';

/** The kubelet asks for options at each registration, and a list ends whenever a session does: worth a line when they fail. */
const quiet = new Set(['GetDevicePluginOptions', 'GetPreferredAllocation', 'ListAndWatch']);

export function noteCall(calls: RecentCalls, resource: string, call: FinishedCall): void {
  const { method, request, code, seconds } = call;
  if (code === status.OK && quiet.has(method)) return;
  const devices = devicesOf(request);
  const subject = devices.length === 0 ? resource : `${resource}: ${devices.join(', ')}`;
  calls.note({ method, subject, code: status[code], seconds });
}

/** Allocate asks for several containers, PreStartContainer for one. */
function devicesOf(request: unknown): readonly string[] {
  const { container_requests: containers, devices_ids: devices } = request as {
    readonly container_requests?: readonly { readonly devices_ids?: readonly string[] }[];
    readonly devices_ids?: readonly string[];
  };
  // Nobody reads more of them, and a request may name thousands.
  return [...(devices ?? []), ...(containers ?? []).flatMap(({ devices_ids: ids = [] }) => ids)].slice(0, 4);
}
