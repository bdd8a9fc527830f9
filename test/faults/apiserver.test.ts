// The API server gone: what is on the nodes goes on, also with agents that start meanwhile; back again, nodes are followed.
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import type { ClusterNode } from '../../cluster/node.ts';
import { kubectl } from '../../scripts/kubectl.ts';
import { usePeers } from '../cluster/peers.ts';
import { eventually, podManifest, useScene } from '../cluster/scene.ts';
import { replaceAgents } from './agent.ts';
import { startApiServer } from './controlplane.ts';
import { invariantsHold } from './invariantshold.ts';
import { knockAt, serve, streamTo } from './streams.ts';
import type { End } from './streams.ts';

const scene = useScene('apiserver');
usePeers();
const { cluster } = scene;
const nodes = cluster.nodes as readonly [ClusterNode, ClusterNode, ClusterNode];
const [control, near, far] = nodes;
const ghost = { range: '10.244.200.0/24', address: '10.77.0.200' };

async function end(node: ClusterNode): Promise<End> {
  return { node, pod: await scene.ready(`on-${node.name}`) };
}

async function nodeRoutes(node: ClusterNode): Promise<string> {
  return (await node.exec(['sh', '-c', 'ip -4 route show proto 98; ip -6 route show proto 98'])).stdout;
}

beforeAll(async () => {
  await scene.apply(...nodes.map(({ name }) => podManifest(`on-${name}`, { node: name })));
});
// Nothing else starts it again, and all that follows needs it.
afterEach(() => startApiServer(cluster, control));
afterAll(async () => {
  await kubectl(cluster, ['delete', 'node', 'ghost', '--ignore-not-found']);
  await scene.remove('pod', '--all');
});

test('without an API server pods reach each other, also over agents that started without it; with it Nodes are followed again', async () => {
  const [one, two, three] = [await end(control), await end(near), await end(far)];
  const running = [
    await streamTo(one, two, await serve(two)),
    await streamTo(one, three, await serve(three)),
    await knockAt(two, three, 100),
  ];
  const before = await Promise.all(nodes.map(nodeRoutes));

  await control.kill('kube-apiserver');
  // A kubelet without an API server takes no CSI driver, so storage waits for it.
  await replaceAgents(nodes, ['network', 'devices']);
  expect(await Promise.all(nodes.map(nodeRoutes))).toEqual(before);
  for (const { node, pod } of [one, two, three])
    for (const { ip } of pod.status.podIPs ?? []) {
      const { stdout } = await node.exec(['busybox', 'ping', '-c', '1', '-W', '5', ip]);
      expect(stdout).toContain('1 packets received');
    }
  for (const each of running) await each.finish();

  await startApiServer(cluster, control);
  await kubectl(cluster, ['create', '-f', '-'], {
    stdin: JSON.stringify({
      apiVersion: 'v1',
      kind: 'Node',
      metadata: { name: 'ghost' },
      spec: { podCIDRs: [ghost.range], podCIDR: ghost.range, unschedulable: true },
    }),
  });
  const status = JSON.stringify({ status: { addresses: [{ type: 'InternalIP', address: ghost.address }] } });
  await kubectl(cluster, ['patch', 'node', 'ghost', '--subresource=status', '--type=merge', '-p', status]);
  await eventually('a route to the new node', 60, async () =>
    (await nodeRoutes(near)).includes(`${ghost.range} via ${ghost.address}`) ? true : undefined,
  );
  await kubectl(cluster, ['delete', 'node', 'ghost']);
  await eventually('no route to the node that is gone', 60, async () =>
    (await nodeRoutes(near)).includes(ghost.range) ? undefined : true,
  );
  await invariantsHold(cluster);
});
