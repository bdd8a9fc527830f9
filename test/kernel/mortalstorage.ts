// A storage service that ends itself with SIGKILL at a named point: node mortalstorage.ts KUBELET POOL RUN POINT [ENGINE].
import { Registry } from 'prom-client';
import { storageSchema } from '../../csi/config.ts';
import { createStorageService } from '../../csi/service.ts';
import { createLogger } from '../../kit/log.ts';

const [, , kubeletRoot, path, runDir, mortalPoint, engine] = process.argv;
if (kubeletRoot === undefined) throw new TypeError('usage: mortalstorage.ts KUBELET POOL RUN POINT [ENGINE]');
const capacity = engine === 'tmpfs' ? '1Gi' : undefined;
const config = storageSchema.parse({ pools: [{ name: 'default', path, engine, capacity }], runDir });
const service = createStorageService(config, {
  nodeName: 'node-a',
  kubeletRoot,
  log: createLogger('error'),
  registry: new Registry(),
  atPoint: (point) => {
    if (point === mortalPoint) process.kill(process.pid, 'SIGKILL');
  },
});
await service.start(new AbortController().signal);
process.stdout.write('serving\n');
