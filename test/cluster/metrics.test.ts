// Who may read the metrics of a node's agent from elsewhere: those whose token the API server knows and allows.
import { afterAll, beforeAll, expect, test } from 'vitest';
import { inventory } from '../../scripts/reference/metrics.ts';
import { kubectl } from '../../scripts/kubectl.ts';
import { askWithin } from './askwithin.ts';
import { eventually, useScene } from './scene.ts';

const scene = useScene('metrics');
const { cluster } = scene;
const [first, second] = cluster.nodes;
if (first === undefined || second === undefined) throw new Error('these tests need two nodes');

const urlOf = (address: string): string => `https://${address}:9883/metrics`;
const own = ['-n', scene.namespace];

async function tokenOf(account: string, ...more: readonly string[]): Promise<string> {
  return (await kubectl(cluster, ['create', 'token', account, ...own, ...more])).trim();
}

async function bind(name: string, account: string): Promise<void> {
  const of = ['--clusterrole=berth-metrics-reader', `--serviceaccount=${scene.namespace}:${account}`];
  await kubectl(cluster, ['create', 'clusterrolebinding', name, ...of]);
}

beforeAll(async () => {
  for (const account of ['reader', 'stranger', 'passing'])
    await kubectl(cluster, ['create', 'serviceaccount', account, ...own]);
  await bind('metrics-reader', 'reader');
  await bind('metrics-passing', 'passing');
});
afterAll(async () => {
  const bindings = ['metrics-reader', 'metrics-passing'];
  await kubectl(cluster, ['delete', 'clusterrolebinding', '--ignore-not-found', ...bindings]);
});

async function ask(token?: string, url = urlOf(second!.address)): Promise<readonly [number, string]> {
  const [answer] = await askWithin(first!, [{ url, ...(token === undefined ? {} : { token }) }]);
  return [answer?.status ?? 0, answer?.body ?? ''];
}

test('without a token, and with one that is none, nobody reads anything', async () => {
  expect(await ask()).toEqual([401, expect.stringMatching(/^send a token/)]);
  expect(await ask('made-up')).toEqual([401, expect.stringMatching(/^the API server does not take this token/)]);
});

test('a token that another service was meant for does not open this one', async () => {
  const token = await tokenOf('reader', '--audience=https://vault.example');
  expect(await ask(token)).toEqual([401, expect.stringContaining('of another cluster or audience')]);
});

test('a token that ended with its pod or account is refused', async () => {
  await kubectl(cluster, ['create', 'serviceaccount', 'gone', ...own]);
  const token = await tokenOf('gone');
  await kubectl(cluster, ['delete', 'serviceaccount', 'gone', ...own]);
  // The API server itself remembers tokens for some seconds, and so does the agent.
  await eventually('the token to be refused', 60, async () => ((await ask(token))[0] === 401 ? true : undefined));
});

test('an account without the right is told which role gives it', async () => {
  const name = `system:serviceaccount:${scene.namespace}:stranger`;
  const sentence = `"${name}" may not get /metrics; bind it to the ClusterRole berth-metrics-reader\n`;
  expect(await ask(await tokenOf('stranger'))).toEqual([403, sentence]);
});

test('an account with it reads what docs/metrics.md lists, no more and no less, from every node', async () => {
  const token = await tokenOf('reader');
  const urls = cluster.nodes.map(({ address }) => ({ url: urlOf(address), token }));
  const documented = (await inventory()).map(({ name, type }) => `# TYPE ${name} ${type}`);
  for (const { status, body } of await askWithin(first, urls)) {
    expect(status).toBe(200);
    const exposed = body.split('\n').filter((line) => line.startsWith('# TYPE '));
    expect(exposed.toSorted()).toEqual(documented.toSorted());
  }
});

test('only /metrics is there', async () => {
  const token = await tokenOf('reader');
  const [status] = await ask(token, `https://${second.address}:9883/readyz`);
  expect(status).toBe(404);
});

test('when the right is taken away, whom the agent does not remember is refused at once', async () => {
  expect((await ask(await tokenOf('passing')))[0]).toBe(200);
  await kubectl(cluster, ['delete', 'clusterrolebinding', 'metrics-passing']);
  // That a token which it remembers ends within a minute is tested with a clock of its own.
  await eventually('a token to be refused', 30, async () =>
    (await ask(await tokenOf('passing')))[0] === 403 ? true : undefined,
  );
});
