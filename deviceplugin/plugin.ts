/** The DevicePlugin service of one resource: what the kubelet calls. */
import { isDeepStrictEqual } from 'node:util';
import { pause } from '../kit/backoff.ts';
import type { Handlers } from '../protos/handlers.ts';
import type { Device } from '../protos/types/v1beta1/Device.ts';
import { allocate } from './allocate.ts';
import type { Latest } from './latest.ts';
import type { ResourceState } from './matching.ts';

/** Changes within this time go out as one list: the kubelet rewrites its checkpoint at every list. */
const coalesceMs = 30;

/**
 * Handlers over the newest state of a resource. `onStream` hears of each ListAndWatch with the signal of its end.
 * GetPreferredAllocation and PreStartContainer are not offered: the kubelet's own choice is fine, and nothing needs a reset.
 */
export function devicePlugin(
  latest: Latest<ResourceState>,
  onStream: (ended: AbortSignal) => void,
): Handlers<'v1beta1.DevicePlugin'> {
  return {
    GetDevicePluginOptions: () => ({ pre_start_required: false, get_preferred_allocation_available: false }),

    ListAndWatch: async (_request, stream) => {
      onStream(stream.signal);
      const ended = new Promise((resolve) => {
        stream.signal.addEventListener('abort', resolve);
      });
      let sent: readonly Device[] | undefined;
      // While the kubelet does not read, `send` waits, and only the newest list is there when it goes on.
      do {
        const { changed } = latest;
        const devices = listOf(latest.value);
        if (!isDeepStrictEqual(devices, sent)) {
          await stream.send({ devices });
          sent = devices;
        }
        await Promise.race([changed, ended]);
      } while (await pause(coalesceMs, stream.signal));
    },

    Allocate: ({ container_requests: requests }) => ({
      container_responses: requests.map(({ devices_ids: ids }) => allocate(latest.value, ids)),
    }),
  };
}

function listOf({ units }: ResourceState): Device[] {
  return [...units.values()].map(({ id, unhealthy }) => ({
    ID: id,
    health: unhealthy === undefined ? 'Healthy' : 'Unhealthy',
  }));
}
