// A storage service that ends itself with SIGKILL at a named point: node mortalstorage.ts KUBELET POOL RUN POINT [ENGINE [SOCKET
// RETENTION]]. With a socket it can be asked, and told to do, what an agent can.
import { Registry } from 'prom-client';
import { Inspection } from '../../agent/inspection.ts';
import { storageSchema } from '../../csi/config.ts';
import { createStorageService } from '../../csi/service.ts';
import { createLogger } from '../../kit/log.ts';

const [, , kubeletRoot, path, runDir, mortalPoint, engine, socket, trashRetention] = process.argv;
if (kubeletRoot === undefined)
  throw new TypeError('usage: mortalstorage.ts KUBELET POOL RUN POINT [ENGINE [SOCKET RETENTION]]');
const capacity = engine === 'tmpfs' ? '1Gi' : undefined;
const config = storageSchema.parse({ pools: [{ name: 'default', path, engine, capacity, trashRetention }], runDir });
const log = createLogger('error');
const service = createStorageService(config, {
  nodeName: 'node-a',
  kubeletRoot,
  log,
  registry: new Registry(),
  atPoint: (point) => {
    if (point === mortalPoint) process.kill(process.pid, 'SIGKILL');
  },
});
await service.start(new AbortController().signal);
if (socket !== undefined) new Inspection(socket, [service], log).start();
process.stdout.write('serving\n');
