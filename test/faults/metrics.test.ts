// The API server gone: who was allowed to read metrics a moment ago goes on, who comes anew is told why not, and nobody by mistake.
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { kubectl } from '../../scripts/kubectl.ts';
import { askWithin } from '../cluster/askwithin.ts';
import { eventually, useScene } from '../cluster/scene.ts';
import { startApiServer } from './controlplane.ts';

const scene = useScene('metricsfaults');
const { cluster } = scene;
const [control, other] = cluster.nodes;
if (control === undefined || other === undefined) throw new Error('these tests need two nodes');
const own = ['-n', scene.namespace];
const binding = 'metrics-faults';

beforeAll(async () => {
  await kubectl(cluster, ['create', 'serviceaccount', 'reader', ...own]);
  const of = ['--clusterrole=berth-metrics-reader', `--serviceaccount=${scene.namespace}:reader`];
  await kubectl(cluster, ['create', 'clusterrolebinding', binding, ...of]);
});
// Nothing else starts it again, and all that follows needs it.
afterEach(() => startApiServer(cluster, control));
afterAll(async () => {
  await kubectl(cluster, ['delete', 'clusterrolebinding', binding]);
});

test('without an API server metrics are read by those it knew, and by nobody else', async () => {
  const token = (await kubectl(cluster, ['create', 'token', 'reader', ...own])).trim();
  const later = (await kubectl(cluster, ['create', 'token', 'reader', ...own])).trim();
  const ask = async (...tokens: readonly string[]): Promise<readonly number[]> => {
    const url = `https://${other.address}:9883/metrics`;
    const answers = await askWithin(
      control,
      tokens.map((each) => ({ url, token: each })),
    );
    return answers.map(({ status }) => status);
  };
  await eventually('the binding to work', 30, async () => ((await ask(token))[0] === 200 ? true : undefined));
  await control.kill('kube-apiserver');
  expect(await ask(token, later, 'made-up')).toEqual([200, 503, 503]);
  await startApiServer(cluster, control);
  expect(await ask(token, later, 'made-up')).toEqual([200, 200, 401]);
});
