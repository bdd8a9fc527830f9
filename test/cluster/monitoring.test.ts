// A real Prometheus reads all agents as the docs tell it to, and every query of the rules and of the dashboard finds what it asks for.
import { afterAll, beforeAll, expect, test } from 'vitest';
import { z } from 'zod';
import { dashboardQueries } from '../../scripts/monitoring/dashboard.ts';
import { readRules } from '../../scripts/monitoring/rulesfile.ts';
import { selectorsOf } from '../../scripts/monitoring/selectors.ts';
import { kubectl } from '../../scripts/kubectl.ts';
import { runPrometheus } from './runprometheus.ts';
import type { RunningPrometheus } from './runprometheus.ts';
import { claimManifest, eventually, podManifest, useScene } from './scene.ts';

const scene = useScene('monitoring');
const { cluster } = scene;
const [first] = cluster.nodes;
if (first === undefined) throw new Error('these tests need a node');

let prometheus: RunningPrometheus;
const binding = 'monitoring-prometheus';

beforeAll(async () => {
  const { namespace } = scene;
  await kubectl(cluster, ['create', 'serviceaccount', 'prometheus', '-n', namespace]);
  const of = ['--clusterrole=berth-metrics-reader', `--serviceaccount=${namespace}:prometheus`];
  await kubectl(cluster, ['create', 'clusterrolebinding', binding, ...of]);
  const token = (await kubectl(cluster, ['create', 'token', 'prometheus', '-n', namespace])).trim();
  prometheus = await runPrometheus(cluster, token);
  // Something of everything to be seen.
  const pod = podManifest('all', { node: first.name, limits: { 'berth.dev/fuse': 1 }, claims: { '/data': 'data' } });
  await scene.apply(claimManifest('data', 'berth-ext4', '64Mi'), pod);
  await scene.ready('all');
});
afterAll(async () => {
  await prometheus.stop();
  await kubectl(cluster, ['delete', 'clusterrolebinding', binding]);
});

const targets = z.object({
  activeTargets: z.array(
    z.object({ health: z.string(), lastError: z.string(), labels: z.record(z.string(), z.string()) }),
  ),
});

test('it finds every agent once, reads it, and knows its node', async () => {
  const wanted = cluster.nodes.map(({ name }) => `${name} up `);
  let seen: readonly string[] = [];
  // A first scrape may take longer than the second that it is given.
  await eventually('every agent to be read', 60, async () => {
    const [answer] = await prometheus.ask(['/api/v1/targets?state=active']);
    const { activeTargets } = targets.parse(answer);
    seen = activeTargets.map(({ health, lastError, labels }) => `${labels['node'] ?? ''} ${health} ${lastError}`);
    return seen.toSorted().join() === wanted.toSorted().join() ? true : undefined;
  }).catch((error: unknown) => {
    expect(seen.toSorted(), String(error)).toEqual(wanted.toSorted());
  });
});

/** Of what goes wrong, or has not happened yet, a node that is well has no series. */
const emptyWhenWell = [
  /_unhealthy\b/,
  /days_until_full|deriv\(/,
  /errors:ratio|code!=|code=~/,
  /cni_repairs|health_transitions/,
  // Comparisons that hold for nobody.
  /(==|!=|<|>) [\d. *]+( and .*)?$/,
];
const results = z.object({ result: z.array(z.unknown()) });

test('every query is understood, and finds series where there is something', async () => {
  const { alerts, recordings } = await readRules();
  const queries = [...alerts, ...recordings].map(({ expr }) => expr).concat(dashboardQueries());
  // What alerts compare is there also where nothing is wrong.
  const all = [...new Set([...queries, ...queries.flatMap((query) => selectorsOf(query).map(({ text }) => text))])];
  const paths = all
    .map((query) => query.replaceAll('$node', '.*').replaceAll('$instance', '.*').replaceAll('$__rate_interval', '10s'))
    .map((query) => `/api/v1/query?query=${encodeURIComponent(query)}`);
  let empty: readonly string[] = all;
  await eventually('series for every query', 120, async () => {
    const answers = (await prometheus.ask(paths)).map((each) => results.parse(each).result.length);
    empty = all.filter((query, index) => answers[index] === 0 && !emptyWhenWell.some((pattern) => pattern.test(query)));
    return empty.length === 0 ? true : undefined;
  }).catch((error: unknown) => {
    expect(empty, String(error)).toEqual([]);
  });
});

const groups = z.object({
  groups: z.array(
    z.object({
      rules: z.array(z.object({ name: z.string(), health: z.string(), lastError: z.string().optional() })),
    }),
  ),
});

test('it evaluates every rule without an error', async () => {
  const { alerts, recordings } = await readRules();
  const rules = await eventually('the rules to be evaluated', 30, async () => {
    const [answer] = await prometheus.ask(['/api/v1/rules']);
    const found = groups.parse(answer).groups.flatMap(({ rules: each }) => each);
    return found.some(({ health }) => health === 'unknown') ? undefined : found;
  });
  expect(rules.filter(({ health }) => health !== 'ok')).toEqual([]);
  expect(rules.map(({ name }) => name).toSorted()).toEqual(
    [...alerts.map(({ alert }) => alert), ...recordings.map(({ record }) => record)].toSorted(),
  );
});
