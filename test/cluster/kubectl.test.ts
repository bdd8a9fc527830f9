// The plugin of kubectl on the real cluster, started by the real kubectl: what it says of nodes, pods and claims.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { berthNamespace, waitForAgents } from '../../scripts/deploy.ts';
import { kubectl, listPods } from '../../scripts/kubectl.ts';
import { agentPids } from '../faults/agent.ts';
import { usePlugin } from './plugin.ts';
import { claimManifest, eventually, podManifest, useScene } from './scene.ts';

const scene = useScene('kubectl-berth');
const { cluster } = scene;
const { berth, kubectl: real } = usePlugin(() => cluster);
const [first, second] = cluster.nodes;
if (first === undefined || second === undefined) throw new Error('these tests need two nodes');

test('status: all is well', async () => {
  const { code, stdout, stderr } = await berth('status', '--wait', '--timeout', '90s');
  expect([code, stderr.replaceAll(/^waiting: .*\n/gm, '')]).toEqual([0, '']);
  expect(stdout).toContain(`Agents:   OK        ${cluster.nodes.length} of ${cluster.nodes.length} nodes, version `);
  for (const { name } of cluster.nodes)
    expect(stdout).toMatch(new RegExp(`^${name} +OK +serves +[0-9.]+ +\\d+ pods +\\d+/\\d+ +`, 'm'));
  expect(await berth('status', '-o', 'name')).toMatchObject({
    stdout: cluster.nodes.map(({ name }) => `node/${name}\n`).join(''),
  });
  expect(await berth('status', 'no-such-node')).toMatchObject({
    code: 1,
    stdout: expect.stringContaining('there is no such node') as string,
  });
});

describe('where no agent is meant for a node any more', () => {
  const away = ['patch', 'daemonset', 'berth', '-n', berthNamespace, '--type=merge', '--patch'];
  const affinity = (nodeAffinity: object | null): string =>
    JSON.stringify({ spec: { template: { spec: { affinity: nodeAffinity === null ? null : { nodeAffinity } } } } });
  const elsewhere = { key: 'kubernetes.io/hostname', operator: 'NotIn', values: [second.name] };

  beforeAll(async () => {
    const terms = [{ matchExpressions: [elsewhere] }];
    const required = { requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms: terms } };
    await kubectl(cluster, [...away, affinity(required)]);
    await eventually(`no agent on ${second.name}`, 120, async () =>
      (await listPods(cluster, berthNamespace)).some(({ spec }) => spec.nodeName === second.name) ? undefined : true,
    );
    // The others are replaced as well.
    await waitForAgents(cluster);
  });
  afterAll(async () => {
    await kubectl(cluster, [...away, affinity(null)]);
    await waitForAgents(cluster);
  });

  test('it is off, and the others are asked', async () => {
    expect((await berth('status', second.name)).stdout).toMatch(new RegExp(`^${second.name} +off +none `, 'm'));
    const others = await berth('get', 'pools', '--node', first.name, '--no-headers');
    expect(others.code).toBe(0);
    expect(others.stdout).toMatch(new RegExp(`^${first.name} +default +image`, 'm'));
    expect(await berth('get', 'pools', '--node', second.name)).toEqual({
      ...{ code: 1, stdout: '', stderr: `error: no agent runs on ${second.name}\n` },
    });
  });
});

test('an agent that hangs is told, get shows the other nodes, and status waits until it serves again', async () => {
  const pids = (await eventually('an agent', 60, () => agentPids(second))).split('\n');
  await second.exec(['kill', '-STOP', ...pids]);
  try {
    const status = await eventually('the silence to be told', 60, async () => {
      // Of a node without a network the kubelet says more, and sooner.
      const answer = await berth('status', '-o', 'wide');
      return answer.stdout.includes('its agent runs, but is not ready') ? answer : undefined;
    });
    expect(status.code).toBe(1);
    expect(status.stdout).toMatch(new RegExp(`^${second.name} +NOT WELL +ill .*its agent runs, but is not ready`, 'm'));
    expect(status.stdout).toMatch(new RegExp(`^${first.name} +OK +serves `, 'm'));
    const pools = await berth('get', 'pools');
    expect([pools.code, pools.stderr]).toEqual([1, expect.stringMatching(new RegExp(`^error: ${second.name}: `))]);
    expect(pools.stdout).toMatch(new RegExp(`^${first.name} +default +image`, 'm'));
    expect(pools.stdout).not.toMatch(new RegExp(`^${second.name} `, 'm'));
    expect(await berth('status', '--wait', '--timeout', '1s', second.name)).toMatchObject({
      ...{ code: 1, stderr: expect.stringContaining('error: not well after 1 s: ') as string },
    });
  } finally {
    await second.exec(['kill', '-CONT', ...pids]);
  }
  expect((await berth('status', '--wait', '--timeout', '180s')).code).toBe(0);
});

describe('with pods and claims', () => {
  const fuse = { 'berth.dev/fuse': 1 };
  beforeAll(async () => {
    const small = claimManifest('data', 'berth-ext4', '64Mi');
    const holders = ['one', 'two'].map((name) => podManifest(name, { node: first.name, limits: fuse }));
    await scene.apply(small, podManifest('holder', { node: second.name, claims: { '/data': 'data' } }), ...holders);
    await Promise.all(['holder', 'one', 'two'].map((name) => scene.ready(name)));
  });

  test.each([
    ['devices', /^node-\d +berth\.dev\/fuse +\S+ +\/dev\/fuse +Healthy +\S+ +\d\/2 /m],
    ['volumes', /^node-2 +v1-\S+ +kubectl-berth\/data +default +ext4 +64Mi/m],
    ['attachments', /^node-2 +kubectl-berth +holder +eth0 +\S+/m],
    ['pools', /^NODE +RANGE[^]*^node-1 +[0-9.]+\/24[^]*\n\nNODE +POOL[^]*^node-2 +default +image/m],
    ['routes', /^node-1 +node-2 +\S+ +(direct|tunnel)/m],
  ])('get %s shows every node', async (kind, pattern) => {
    const { code, stdout, stderr } = await berth('get', kind, '-n', scene.namespace);
    expect([code, stderr]).toEqual([0, '']);
    expect(stdout).toMatch(pattern);
    const { items } = JSON.parse((await berth('get', kind, '-A', '-o', 'json')).stdout) as {
      readonly items: readonly { readonly nodeName: string }[];
    };
    expect(items[0]?.nodeName).toMatch(/^node-\d$/);
  });

  test('get keeps to the namespace, and says what it did not find', async () => {
    expect(await berth('get', 'volumes', '-n', 'kube-public')).toEqual({
      ...{ code: 0, stdout: '', stderr: 'No volumes found in kube-public namespace.\n' },
    });
    expect(await berth('get', 'volumes', 'data', '-n', 'kube-public')).toMatchObject({
      ...{ code: 1, stderr: 'error: volumes "data" not found in kube-public namespace\n' },
    });
    expect((await berth('get', 'volumes', 'data', '-n', scene.namespace, '-o', 'name')).stdout).toMatch(
      /^volume\/v1-\S+\n$/,
    );
    expect((await berth('get', 'pools', '-l', 'kubernetes.io/hostname=node-2', '--no-headers')).stdout).not.toContain(
      'node-1',
    );
  });

  test('explain says for which device a pod waits, and who holds it', async () => {
    await scene.apply(
      podManifest('third', { node: first.name, limits: fuse }),
      podManifest('odd', { limits: { 'berth.dev/scanner': 1 } }),
    );
    await scene.event('Pod', 'third', /Insufficient berth.dev\/fuse/);
    const { code, stdout } = await berth('explain', 'pod/third', '-n', scene.namespace);
    expect(code).toBe(0);
    expect(stdout).toContain(
      `${first.name} has 1 with 2 shares, held by ${scene.namespace}/one and ${scene.namespace}/two (berth.dev/fuse)`,
    );
    const odd = await eventually('the scheduler to have looked', 30, async () => {
      const found = await berth('explain', 'pod', 'odd', '-n', scene.namespace);
      return found.stdout.includes('The scheduler says') ? found : undefined;
    });
    expect(odd.stdout).toMatch(/^kubectl-berth\/odd waits for berth\.dev\/scanner: each of node-1, .* has none\.\n/);
    expect((await berth('explain', 'resource/berth.dev/fuse')).stdout).toMatch(
      /^berth\.dev\/fuse has \d+ free on \d+ of \d+ nodes: /,
    );
    expect(await berth('explain', `device//dev/fuse@${first.name}`)).toMatchObject({
      ...{ code: 0, stdout: expect.stringContaining('berth.dev/fuse has it') as string },
    });
    expect(await berth('explain', `device//dev/nothing@${first.name}`)).toMatchObject({ code: 1 });
  });

  test('explain says of a claim that fits nowhere how much room there is', async () => {
    await scene.apply(
      claimManifest('huge', 'berth-xfs', '900Gi'),
      podManifest('large', { claims: { '/data': 'huge' } }),
    );
    await scene.event('Pod', 'large', /enough free storage/);
    const { stdout } = await berth('explain', 'pvc/huge', '-n', scene.namespace);
    expect(stdout).toMatch(
      /^The claim kubectl-berth\/huge cannot be made: it asks for 900Gi, and no node has room for it: node-1 has \S+ in the pool "default"/,
    );
    expect((await berth('explain', 'pod/large', '-n', scene.namespace)).stdout).toMatch(
      /waits for the claim huge: .*in the pool "default" .*, 900Gi asked/,
    );
    expect((await berth('explain', 'pvc/data', '-n', scene.namespace)).stdout).toMatch(
      /is bound to the volume pvc-\S+, on node-2\./,
    );
  });
});

test('kubectl completes its words and the names of the cluster', async () => {
  const completed = async (...words: readonly string[]): Promise<readonly string[]> =>
    (await real(['__complete', 'berth', ...words])).stdout.split('\n').map((line) => line.split('\t')[0] ?? '');
  expect(await completed('get', 'vol')).toContain('volumes');
  expect(await completed('status', '')).toEqual(expect.arrayContaining(cluster.nodes.map(({ name }) => name)));
  expect(await completed('get', 'pools', '-n', 'kubectl-b')).toContain('kubectl-berth');
  expect(await completed('explain', '-n', scene.namespace, 'pod/o')).toEqual(
    expect.arrayContaining(['pod/one', 'pod/odd']),
  );
});
