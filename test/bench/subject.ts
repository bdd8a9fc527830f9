/**
 * The process under measurement: one service of the agent. Its argument is JSON of a `Subject`. Says `{ready: true}` on
 * the IPC channel; answers each message there with its metrics; ends with the channel or by SIGTERM.
 */
import { Registry } from 'prom-client';
import { networkSchema } from '../../cni/config.ts';
import { createNetworkService } from '../../cni/service.ts';
import { storageSchema } from '../../csi/config.ts';
import { createStorageService } from '../../csi/service.ts';
import { BerthError } from '../../kit/errors.ts';
import { createLogger } from '../../kit/log.ts';
import type { Service } from '../../kit/service.ts';

export type Subject =
  | { readonly network: unknown; readonly shimPath: string }
  | { readonly storage: unknown; readonly kubeletRoot: string };

const registry = new Registry();

function serviceOf(subject: Subject): Service {
  // As verbose as an agent with the default configuration.
  const log = createLogger('info');
  if ('network' in subject) {
    const podCIDR = (): Promise<never> => Promise.reject(new BerthError('UNAVAILABLE', 'there is no API server here'));
    const { shimPath } = subject;
    return createNetworkService(networkSchema.parse(subject.network), { podCIDR, log, registry, shimPath });
  }
  const { kubeletRoot } = subject;
  return createStorageService(storageSchema.parse(subject.storage), { nodeName: 'bench', kubeletRoot, log, registry });
}

const service = serviceOf(JSON.parse(process.argv[2] ?? '{}') as Subject);

async function end(): Promise<void> {
  await service.stop(AbortSignal.timeout(5_000));
  process.exit(0);
}

process.on('SIGTERM', () => void end());
process.on('disconnect', () => void end());
process.on('message', () => {
  void registry.getMetricsAsJSON().then((metrics) => process.send?.(metrics));
});
await service.start(AbortSignal.timeout(30_000));
process.send?.({ ready: true });
