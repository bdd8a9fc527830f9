// Pods of two nodes: by address with their own, through a Service, and what the agent made for it on the nodes.
import { expect, test } from 'vitest';
import { kubectl } from '../../scripts/kubectl.ts';
import { eventually, podManifest, useScene } from './scene.ts';

const scene = useScene('between-nodes');
const [here, there] = ['node-1', 'node-2'];

test('a pod reaches one of the other node by address, with its own, and through a Service', async () => {
  const serve = [
    'sh',
    '-c',
    'mkdir /www; echo from the other node > /www/index.html; exec httpd -f -v -p 8080 -h /www',
  ];
  const server = podManifest('server', { node: there, command: serve });
  await scene.apply(
    { ...server, metadata: { name: 'server', labels: { app: 'server' } } },
    podManifest('asker', { node: here }),
    {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name: 'server' },
      spec: { selector: { app: 'server' }, ports: [{ port: 80, targetPort: 8080 }] },
    },
  );
  const [to, from] = [await scene.ready('server'), await scene.ready('asker')];
  const address = to.status.podIP ?? '';
  const asked = await eventually('an answer by address', 30, async () => {
    const { text, code } = await scene.inside('asker', `timeout 5 wget -q -O - http://${address}:8080/`);
    return code === 0 ? text : undefined;
  });
  expect(asked).toBe('from the other node');
  const seen = await kubectl(scene.cluster, ['logs', '-n', scene.namespace, 'server']);
  expect(seen).toContain(from.status.podIP);
  const service = await kubectl(scene.cluster, [
    ...['get', 'service', 'server', '-n', scene.namespace],
    ...['-o', 'jsonpath={.spec.clusterIP}'],
  ]);
  const answered = await eventually('an answer through the Service', 30, async () => {
    const { text, code } = await scene.inside('asker', `timeout 5 wget -q -O - http://${service.trim()}/`);
    return code === 0 ? text : undefined;
  });
  expect(answered).toBe('from the other node');
});
