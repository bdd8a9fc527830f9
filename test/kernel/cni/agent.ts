// The pod network alone, as a process: started by the tests inside a namespace that plays the node. Argument: JSON of the
// section `network`, the path of the executable, and how often to look for pods that have gone. With CRASH_AT it kills itself
// at that point, as kill -9 would, and so it does at the effect that a line of its input names: `before 3`, `after 3`; with
// `stop 3` it stands still before it.
import { flushCompileCache } from 'node:module';
import { createInterface } from 'node:readline';
import { Registry } from 'prom-client';
import { networkSchema } from '../../../cni/config.ts';
import { networkKernel } from '../../../cni/kernel.ts';
import { createNetworkService } from '../../../cni/service.ts';
import { createLogger } from '../../../kit/log.ts';
import type { RouteRequest } from '../../../linux/rtnetlink/requests.ts';
import type { RouteSocket, Rtnetlink } from '../../../linux/rtnetlink/rtnetlink.ts';
import { dieAt, makeStoresMortal, mortalKernel } from './mortalkernel.ts';

const { config, shimPath, reapEveryMs } = JSON.parse(process.argv[2] ?? '{}') as {
  config: unknown;
  shimPath: string;
  reapEveryMs?: number;
};

function pointOf(requests: readonly RouteRequest[]): string {
  const [first] = requests;
  if (first?.op === 'create-veth') return 'create';
  if (first?.op === 'delete-route') return 'release';
  return first?.op === 'set-link' && first.group !== undefined ? 'delete' : 'sandbox';
}

function crash(point: string): void {
  if (process.env['CRASH_AT'] === point) process.kill(process.pid, 'SIGKILL');
}

const crashing: Rtnetlink = {
  open(namespace): RouteSocket {
    const socket = networkKernel.rtnetlink.open(namespace);
    return {
      apply: async (requests) => {
        crash(`${pointOf(requests)}:before`);
        await socket.apply(requests);
        crash(`${pointOf(requests)}:after`);
      },
      links: () => socket.links(),
      link: (name) => socket.link(name),
      addresses: (family) => socket.addresses(family),
      routes: (family) => socket.routes(family),
      neighbours: (family) => socket.neighbours(family),
      shapes: () => socket.shapes(),
      forwardings: () => socket.forwardings(),
      close: () => {
        socket.close();
      },
    };
  },
};

makeStoresMortal();
const registry = new Registry();
const service = createNetworkService(networkSchema.parse(config), {
  podCIDR: () => Promise.reject(new Error('there is no API server here')),
  log: createLogger('debug'),
  registry,
  shimPath,
  ...(reapEveryMs === undefined ? {} : { reapEveryMs }),
  kernel: mortalKernel({ ...networkKernel, rtnetlink: crashing }),
});
await service.start(AbortSignal.timeout(30_000));
// For the next one: who is killed has no time for it.
flushCompileCache();
process.stdout.write('ready\n');
process.on('SIGTERM', () => {
  void service
    .stop(AbortSignal.timeout(5_000))
    .then(() => registry.metrics())
    .then((metrics) => {
      process.stdout.write(metrics, () => process.exit(0));
    });
});
createInterface({ input: process.stdin }).on('line', (line) => {
  const [when, effect] = line.split(' ');
  dieAt({ when: when === 'before' || when === 'stop' ? when : 'after', effect: Number(effect) });
  process.stdout.write('mortal\n');
});
