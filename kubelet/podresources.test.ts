import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { createLogger } from '../kit/log.ts';
import { serve } from '../protos/serve.ts';
import { listPodResources } from './podresources.ts';

test('pods are listed with the devices of their containers', async () => {
  const rootDir = await mkdtemp(join(tmpdir(), 'berth-pr-'));
  await mkdir(join(rootDir, 'pod-resources'));
  await expect(listPodResources(rootDir)).rejects.toMatchObject({ code: 'UNAVAILABLE' });
  const devices = [{ resource_name: 'berth.dev/fuse', device_ids: ['a::0'] }];
  const server = await serve({
    path: join(rootDir, 'pod-resources/kubelet.sock'),
    log: createLogger('error'),
    services: {
      'v1.PodResourcesLister': {
        List: () => ({ pod_resources: [{ name: 'web', namespace: 'default', containers: [{ name: 'c', devices }] }] }),
      },
    },
  });
  await expect(listPodResources(rootDir)).resolves.toMatchObject([
    { name: 'web', containers: [{ name: 'c', devices }] },
  ]);
  await server.stop();
  await rm(rootDir, { recursive: true });
});
