/** Calling our own server as the kubelet will: a registration of a server that does not answer takes the kubelet 10 s. */
import { dial } from '../../protos/dial.ts';

/** Throws what the kubelet would see. */
export async function checkSelf(path: string, signal: AbortSignal): Promise<void> {
  const self = dial('v1beta1.DevicePlugin', path, { timeoutMs: 2_000 });
  try {
    await self.GetDevicePluginOptions({}, { signal });
  } finally {
    self.close();
  }
}
