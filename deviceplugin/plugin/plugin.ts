/** The DevicePlugin service of one resource: what the kubelet calls. */
import { pause } from '../../kit/backoff.ts';
import { BerthError } from '../../kit/errors.ts';
import type { Latest } from '../../kit/latest.ts';
import type { FinishedCall, Handlers } from '../../protos/handlers.ts';
import type { ResourceState } from '../units/unit.ts';
import { allocate } from './allocate.ts';
import type { CdiFiles } from './cdifiles.ts';
import { cdiSpec } from './cdispec.ts';
import { deviceList, losesDevices, noDevices, sameList } from './devicelist.ts';
import type { DeviceList } from './devicelist.ts';
import { mayUseCdi } from './injection.ts';
import { createListEncoder } from './listmessage.ts';
import { dueAt } from './pacing.ts';
import { preferredDevices } from './preferred.ts';
import { checkPresent, needsPreStart } from './prestart.ts';

/** What all resources' services share. */
export interface PluginContext {
  /** Where the agent sees the host's `/dev`. */
  readonly devRoot: string;
  readonly cdi: Pick<CdiFiles, 'problemOf' | 'problems' | 'refresh' | 'settled'>;
  /** Whether the container runtime reads CDI files, as far as the agent can tell. */
  readonly cdiAvailable: () => boolean;
  /** A container was given devices. */
  readonly allocated: (resource: string, ids: readonly string[]) => void;
  /** The list of a state has left for the kubelet; states in between are never sent. */
  readonly sent?: (state: ResourceState) => void;
  /** A call of the kubelet about a resource has ended. */
  readonly called?: ((resource: string, call: FinishedCall) => void) | undefined;
}

export interface PluginEvents {
  /** A ListAndWatch was opened; the signal fires at its end. */
  readonly onStream: (ended: AbortSignal) => void;
  /** A list has left for the kubelet. */
  readonly onSent: (list: DeviceList, bytes: number) => void;
}

/** How long an allocation waits for a CDI file that is being written. */
const cdiTimeoutMs = 2_000;

/** Handlers over the newest state of a resource. After `withdrawn` fires the list is empty. */
export function devicePlugin(
  latest: Latest<ResourceState>,
  context: PluginContext,
  events: PluginEvents,
  withdrawn: AbortSignal,
): Handlers<'v1beta1.DevicePlugin'> {
  const { cdi, cdiAvailable, devRoot } = context;
  const listOf = (state: ResourceState): DeviceList => {
    if (withdrawn.aborted) return noDevices;
    const { name, injection } = state.rule;
    if (injection !== 'cdi') return deviceList(state);
    return deviceList(state, ({ id }) => cdi.problems.value.get(name) ?? cdiSpec(state).problems.get(id));
  };
  /** For a call that comes before the file of a device that has just appeared. */
  const inTime = async (files: Promise<void>): Promise<void> => {
    const over = new AbortController();
    await Promise.race([files, pause(cdiTimeoutMs, over.signal)]);
    over.abort();
  };

  return {
    GetDevicePluginOptions: () => ({
      pre_start_required: needsPreStart(latest.value),
      get_preferred_allocation_available: true,
    }),

    ListAndWatch: async (_request, stream) => {
      events.onStream(stream.signal);
      const encode = createListEncoder();
      let wake = (): void => undefined;
      let changedAt = 0;
      const changed = (): void => {
        changedAt = performance.now();
        wake();
      };
      latest.onChange(changed, stream.signal);
      cdi.problems.onChange(changed, stream.signal);
      for (const signal of [withdrawn, stream.signal]) signal.addEventListener('abort', changed, { once: true });
      let sent: DeviceList | undefined;
      let sentAt = -Infinity;
      let since: number | undefined;
      /** Until something changes, or for so long. */
      const wait = async (ms?: number): Promise<void> => {
        const { promise, resolve } = Promise.withResolvers<undefined>();
        wake = () => {
          resolve(undefined);
        };
        const timer = ms === undefined ? undefined : setTimeout(wake, ms);
        await promise;
        clearTimeout(timer);
      };
      while (!stream.signal.aborted) {
        const state = latest.value;
        const list = listOf(state);
        if (sent !== undefined && sameList(list, sent)) {
          since = undefined;
          await wait();
          continue;
        }
        since ??= changedAt;
        const urgent = sent === undefined || losesDevices(sent, list);
        const left = dueAt({ sentAt, since, changedAt, urgent }) - performance.now();
        if (left > 0) {
          await wait(left);
          continue;
        }
        const bytes = encode(list);
        // While the kubelet does not read this waits, and only the newest list is there when it goes on.
        await stream.send(bytes);
        events.onSent(list, bytes.length);
        context.sent?.(state);
        sent = list;
        sentAt = performance.now();
        since = undefined;
      }
      withdrawn.removeEventListener('abort', changed);
    },

    GetPreferredAllocation: ({ container_requests: requests }) => ({
      container_responses: requests.map(
        ({ available_deviceIDs: available, must_include_deviceIDs: mustInclude, allocation_size: size }) => ({
          deviceIDs: preferredDevices(latest.value, { available, mustInclude, size }),
        }),
      ),
    }),

    Allocate: async ({ container_requests: requests }) => {
      const all = requests.flatMap(({ devices_ids: ids }) => ids);
      if (mayUseCdi(latest.value.rule)) await inTime(cdi.settled());
      const state = latest.value;
      const reach = { available: cdiAvailable(), problemOf: cdi.problemOf };
      const answers = requests.map(({ devices_ids: ids }) => allocate(state, ids, reach));
      context.allocated(state.rule.name, all);
      return { container_responses: answers };
    },

    PreStartContainer: async ({ devices_ids: ids }) => {
      if (mayUseCdi(latest.value.rule)) await inTime(cdi.refresh());
      const state = latest.value;
      const { name, injection } = state.rule;
      await checkPresent(state, ids, devRoot);
      const problem = injection === 'cdi' ? cdi.problems.value.get(name) : undefined;
      if (problem !== undefined)
        throw new BerthError('UNAVAILABLE', `${name}: the CDI file of its devices is not as they are now: ${problem}`);
      return {};
    },
  };
}
