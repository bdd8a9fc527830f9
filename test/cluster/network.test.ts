// The pod network in a real cluster, beside kube-proxy: pods of near and far nodes, Services, DNS, ports of the node, limits.
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { beforeAll, describe, expect, test } from 'vitest';
import type { ClusterNode } from '../../cluster/node.ts';
import { berthNamespace } from '../../scripts/deploy.ts';
import { kubectl, listPods } from '../../scripts/kubectl.ts';
import type { Pod } from '../../scripts/kubectl.ts';
import { startPeer, usePeers } from './peers.ts';
import { eventually, podManifest, useScene } from './scene.ts';

const scene = useScene('network');
usePeers();
const { cluster } = scene;
const [one, two, three] = cluster.nodes as readonly [ClusterNode, ClusterNode, ClusterNode];

/** Serves its name over HTTP on port 8080 and logs who asked. */
function web(
  name: string,
  node: ClusterNode,
  more: { readonly port?: object; readonly annotations?: object } = {},
): object {
  const command = `mkdir /www; echo ${name} > /www/index.html; exec httpd -f -v -p 8080 -h /www`;
  const pod = podManifest(name, { node: node.name, command: ['sh', '-c', command] });
  const { containers, ...spec } = pod.spec as { readonly containers: readonly [object] };
  const main = {
    ...containers[0],
    ports: [{ containerPort: 8080, ...more.port }],
    readinessProbe: { httpGet: { path: '/', port: 8080 }, periodSeconds: 1 },
  };
  const { annotations } = more;
  const metadata = { name, labels: { app: 'web', name }, ...(annotations === undefined ? {} : { annotations }) };
  return { ...pod, metadata, spec: { ...spec, containers: [main] } };
}

function service(name: string, selector: object, more: object = {}): object {
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name },
    spec: { selector, ipFamilyPolicy: 'RequireDualStack', ports: [{ port: 80, targetPort: 8080 }], ...more },
  };
}

function addressesOf({ status }: Pod): readonly [string, string] {
  const [four = '', six = ''] = (status.podIPs ?? []).map(({ ip }) => ip);
  return [four, six];
}

function url(address: string, port: number): string {
  return `http://${address.includes(':') ? `[${address}]` : address}:${port}/`;
}

/** What a pod gets of a URL, once it gets anything. */
async function fromPod(pod: string, target: string): Promise<string> {
  return await eventually(`pod ${pod} to get ${target}`, 30, async () => {
    const { text, code } = await scene.inside(pod, `timeout 5 wget -q -O - ${target}`);
    return code === 0 ? text : undefined;
  });
}

async function tryFromNode(node: ClusterNode, target: string): Promise<string | undefined> {
  const { stdout, code } = await node.exec(['timeout', '5', 'busybox', 'wget', '-q', '-O', '-', target]);
  return code === 0 ? stdout.trim() : undefined;
}

async function fromNode(node: ClusterNode, target: string): Promise<string> {
  return await eventually(`${node.name} to get ${target}`, 30, () => tryFromNode(node, target));
}

async function log(pod: string): Promise<string> {
  return await kubectl(cluster, ['logs', '-n', scene.namespace, pod]);
}

async function field(kind: string, name: string, path: string): Promise<string> {
  return (await kubectl(cluster, ['get', kind, name, '-n', scene.namespace, '-o', `jsonpath={${path}}`])).trim();
}

beforeAll(async () => {
  await scene.apply(
    ...[web('web-1', one), web('web-2', two), web('web-3', three), podManifest('asker', { node: one.name })],
    service('web', { app: 'web' }),
    service('self', { name: 'web-1' }),
    service('far', { name: 'web-3' }, { type: 'NodePort' }),
    service('near', { name: 'web-1' }, { type: 'NodePort', externalTrafficPolicy: 'Local' }),
  );
  for (const name of ['web-1', 'web-2', 'web-3', 'asker']) await scene.ready(name);
});

test('every Node says that it has a network', async () => {
  const path = '{.items[*].status.conditions[?(@.type=="NetworkUnavailable")].status}';
  await eventually('the condition of three Nodes', 30, async () =>
    (await kubectl(cluster, ['get', 'nodes', '-o', `jsonpath=${path}`])) === 'False False False' ? true : undefined,
  );
});

describe('a pod', () => {
  test.each([
    ['of its own node', 'web-1'],
    ['of a node on the same link', 'web-2'],
    ['of a node behind a router, through the tunnel', 'web-3'],
  ])('reaches one %s, by both families and with its own addresses', async (_where, name) => {
    const own = addressesOf(await scene.pod('asker'));
    for (const [at, address] of addressesOf(await scene.pod(name)).entries()) {
      expect(await fromPod('asker', url(address, 8080))).toBe(name);
      await eventually(`${name} to log ${own[at] ?? ''}`, 30, async () =>
        (await log(name)).includes(own[at] ?? 'none') ? true : undefined,
      );
    }
  });

  test('is reached by every node', async () => {
    for (const node of cluster.nodes)
      for (const name of ['web-1', 'web-3'])
        for (const address of addressesOf(await scene.pod(name)))
          expect(await fromNode(node, url(address, 8080))).toBe(name);
  });

  test('is reached by kubectl port-forward', async () => {
    const child = spawn(cluster.kubectlPath, ['port-forward', '-n', scene.namespace, 'pod/web-3', ':8080'], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    try {
      for await (const line of createInterface({ input: child.stdout })) {
        const port = /^Forwarding from 127\.0\.0\.1:(\d+)/.exec(line)?.[1];
        if (port === undefined) continue;
        expect((await (await fetch(`http://127.0.0.1:${port}/`)).text()).trim()).toBe('web-3');
        break;
      }
    } finally {
      child.kill();
    }
    expect.assertions(1);
  });
});

describe('a Service', () => {
  test('is reached by pods and nodes under both its addresses, and by name', async () => {
    const [four, six] = [
      await field('service', 'web', '.spec.clusterIPs[0]'),
      await field('service', 'web', '.spec.clusterIPs[1]'),
    ];
    for (const address of [four, six]) {
      expect(await fromPod('asker', url(address, 80))).toMatch(/^web-[123]$/);
      expect(await fromNode(two, url(address, 80))).toMatch(/^web-[123]$/);
    }
    expect(await fromPod('asker', `http://web.${scene.namespace}.svc.cluster.local/`)).toMatch(/^web-[123]$/);
  });

  test('is reached by the one pod behind it', async () => {
    for (const at of [0, 1])
      expect(await fromPod('web-1', url(await field('service', 'self', `.spec.clusterIPs[${at}]`), 80))).toBe('web-1');
  });

  test('of type NodePort leads from any node to a far pod', async () => {
    const port = Number(await field('service', 'far', '.spec.ports[0].nodePort'));
    for (const address of [one.address, two.address6]) expect(await fromNode(two, url(address, port))).toBe('web-3');
    expect(await fromPod('asker', url(two.address, port))).toBe('web-3');
  });

  test('with externalTrafficPolicy Local keeps the client’s address, and nodes without a pod of it do not answer', async () => {
    const port = Number(await field('service', 'near', '.spec.ports[0].nodePort'));
    expect(await fromNode(two, url(one.address, port))).toBe('web-1');
    expect(await log('web-1')).toContain(two.address);
    expect(await tryFromNode(one, url(two.address, port))).toBeUndefined();
  });
});

describe('a port of the node', () => {
  const port = 18_080;

  test('leads to the pod by every address of the node, by 127.0.0.1 and from the pod itself, until the pod goes', async () => {
    await scene.apply(web('host', one, { port: { hostPort: port } }));
    await scene.ready('host');
    expect(await fromNode(two, url(one.address, port))).toBe('host');
    expect(await fromNode(three, url(one.address6, port))).toBe('host');
    expect(await fromNode(one, url(one.address, port))).toBe('host');
    expect(await fromNode(one, url('127.0.0.1', port))).toBe('host');
    expect(await fromPod('host', url(one.address, port))).toBe('host');
    expect(await fromPod('web-3', url(one.address, port))).toBe('host');
    await scene.remove('pod', 'host');
    await eventually('the port to be closed', 30, async () =>
      (await tryFromNode(two, url(one.address, port))) === undefined ? true : undefined,
    );
  });

  test('is another with another protocol or address; the very same is refused with the name of the pod that has it', async () => {
    await scene.apply(
      web('first', one, { port: { hostPort: port, hostIP: one.address } }),
      web('other-address', one, { port: { hostPort: port, hostIP: '127.0.0.1' } }),
      web('other-protocol', one, { port: { hostPort: port, hostIP: one.address, protocol: 'UDP' } }),
    );
    for (const name of ['first', 'other-address', 'other-protocol']) await scene.ready(name);
    expect(await fromNode(two, url(one.address, port))).toBe('first');
    expect(await fromNode(one, url('127.0.0.1', port))).toBe('other-address');
    // Bound by name, or the scheduler would not let it get so far.
    const second = web('second', one, { port: { hostPort: port, hostIP: one.address } }) as { readonly spec: object };
    await scene.apply({ ...second, spec: { ...second.spec, nodeSelector: undefined, nodeName: one.name } });
    const refusal = /port 18080 of the node is in use by .*first|didn't have free ports|NodePorts/;
    const told = await Promise.race([
      scene.event('pod', 'second', refusal),
      eventually('the kubelet to refuse it', 60, async () => {
        const { status } = await scene.pod('second');
        return status.phase === 'Failed' ? 'NodePorts' : undefined;
      }),
    ]);
    expect(told).toMatch(refusal);
    await scene.remove('pod', 'first', 'second', 'other-address', 'other-protocol');
  });

  test('over UDP goes on for a client that keeps its port when another pod takes it over', async () => {
    const udp = (name: string): object =>
      web(name, one, { port: { containerPort: 7700, hostPort: 17_700, protocol: 'UDP' } });
    const client = startPeer(two, undefined, 'hold-udp', one.address, '17700');
    expect(await client.line()).toBe('ready');
    for (const name of ['udp-a', 'udp-b']) {
      await scene.apply(udp(name));
      const server = startPeer(one, addressesOf(await scene.ready(name))[0], 'serve-udp', name);
      expect(await server.line()).toBe('listening');
      // What it says before the pod is there leads nowhere, and is remembered by the kernel for a while.
      const knocking = setInterval(() => {
        client.say('who');
      }, 200);
      // Late answers of the pod before may come first.
      while ((await client.line()) !== name);
      clearInterval(knocking);
      server.end();
      await scene.remove('pod', name);
    }
  });
});

test('annotations limit what a pod sends and receives; another pod is not slowed', async () => {
  const annotations = { 'kubernetes.io/egress-bandwidth': '8M', 'kubernetes.io/ingress-bandwidth': '16M' };
  await scene.apply(web('limited', one, { annotations }));
  const limited = await scene.ready('limited');
  await startPeer(one, addressesOf(limited)[0], 'sink').line();
  await startPeer(one, addressesOf(await scene.pod('asker'))[0], 'sink').line();
  await startPeer(two, undefined, 'sink').line();
  const push = async (from: Pod | undefined, to: string): Promise<number> => {
    const node = from === undefined ? two : one;
    return Number(await startPeer(node, from && addressesOf(from)[0], 'push', to, '7700', '4000000').line());
  };
  // 4 MB at 1 MB/s and at 2 MB/s, less the burst.
  const slow = await push(limited, two.address);
  expect(slow).toBeGreaterThan(3_300);
  expect(await push(undefined, addressesOf(limited)[0])).toBeGreaterThan(1_500);
  const free = await scene.pod('asker');
  expect(await push(free, two.address)).toBeLessThan(slow);
  const shown = await agentSays(one, 'attachments');
  expect(shown).toMatch(/limited +eth0 +\S+ +<none> +16M +8M/);
  const routes = await agentSays(one, 'routes');
  expect(routes).toMatch(/node-2 +\S+ +direct +10\.77\.0\.12/);
  expect(routes).toMatch(/node-3 +\S+ +tunnel +10\.78\.0\.13/);
});

/** What `berth get` prints on a node. */
async function agentSays(node: ClusterNode, kind: string): Promise<string> {
  const agent = (await listPods(cluster, berthNamespace)).find(({ spec }) => spec.nodeName === node.name);
  if (agent === undefined) throw new Error(`no agent runs on ${node.name}`);
  const inAgent = ['-n', berthNamespace, agent.metadata.name];
  return await kubectl(cluster, ['exec', ...inAgent, '--', 'berth', 'get', kind]);
}
