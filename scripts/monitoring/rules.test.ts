/** The rules by promtool: each is valid, fires when it shall and not when not, reads what there is, and stands in the docs. */
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { run } from '../../cluster/command.ts';
import { inventory } from '../reference/metrics.ts';
import { alertCases } from './alertcases.ts';
import { dashboardQueries } from './dashboard.ts';
import { ensurePrometheus } from './prometheus.ts';
import { monitoringFolder, readRules, rulesPath } from './rulesfile.ts';
import { selectorsOf } from './selectors.ts';
import { monitoringFiles } from './write.ts';

const { alerts, recordings } = await readRules();
let folder = '';
let promtool = '';
// The first time the package is fetched.
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'berth-rules-'));
  ({ promtool } = await ensurePrometheus());
}, 300_000);
afterAll(async () => {
  await rm(folder, { recursive: true });
});

test.each([...(await monitoringFiles())])(
  'daemonset/monitoring/%s is what `npm run generate` writes',
  async (name, text) => {
    const file = await readFile(join(monitoringFolder, name), 'utf8');
    expect(file, `run \`npm run generate\` and commit daemonset/monitoring/${name}`).toBe(text);
  },
);

test('promtool takes the rules, with their templates', async () => {
  const { code, stdout, stderr } = await run(promtool, ['check', 'rules', rulesPath]);
  expect(stdout + stderr).toContain(`${alerts.length + recordings.length} rules found`);
  expect(code).toBe(0);
});

test('each alert has its case, and fires when it shall and not when not', async () => {
  expect(alertCases.map(({ alert }) => alert)).toEqual(alerts.map(({ alert }) => alert));
  const tests = alertCases.flatMap(({ alert, firing, quiet, at }) => {
    const expr = `count(ALERTS{alertname="${alert}",alertstate="firing"})`;
    const look = (series: Readonly<Record<string, string>>, samples: readonly object[]): object => ({
      name: `${alert} ${samples.length > 0 ? 'fires' : 'is quiet'}`,
      interval: '1m',
      input_series: Object.entries(series).map(([name, values]) => ({ series: complete(name), values })),
      promql_expr_test: [{ expr, eval_time: at, exp_samples: samples }],
    });
    return [look(firing, [{ labels: '{}', value: 1 }]), look(quiet, [])];
  });
  const file = join(folder, 'tests.yaml');
  await writeFile(file, stringify({ rule_files: [rulesPath], evaluation_interval: '1m', tests }));
  const { code, stdout, stderr } = await run(promtool, ['test', 'rules', file]);
  expect(stdout + stderr).toContain('SUCCESS');
  expect(code).toBe(0);
});

/** With the labels of scraping that the series does not name itself. */
function complete(series: string): string {
  const [, name = '', own = ''] = /^(\w+)\{(.*)\}$/.exec(series) ?? [];
  const usual = Object.entries({ node: 'a', instance: 'a:1', job: 'berth' })
    .filter(([label]) => !new RegExp(`\\b${label}=`).test(own))
    .map(([label, value]) => `${label}="${value}"`);
  return `${name}{${[own, ...usual].filter((part) => part !== '').join(',')}}`;
}

test('rules and dashboard read only what there is, by labels that it has', async () => {
  const known = new Map<string, readonly string[]>([['up', []]]);
  for (const { name, type, labelNames = [] } of await inventory())
    for (const suffix of type === 'histogram' ? ['_bucket', '_sum', '_count'] : [''])
      known.set(name + suffix, [...labelNames, ...(suffix === '_bucket' ? ['le'] : [])]);
  // A recording keeps the labels it is grouped by; those are looked at in the query that makes it.
  for (const { record } of recordings) known.set(record, []);
  const queries = [...alerts, ...recordings].map(({ expr }) => expr).concat(dashboardQueries());
  const unknown = queries.flatMap((query) =>
    selectorsOf(query)
      .filter(({ metric, labels }) => {
        const own = known.get(metric);
        return own === undefined || labels.some((each) => ![...own, 'node', 'instance', 'job'].includes(each));
      })
      .map(({ metric, labels }) => `${metric}{${labels.join()}} in ${query}`),
  );
  expect(unknown).toEqual([]);
  expect(queries.filter((query) => selectorsOf(query).length === 0)).toEqual([]);
});

test('docs/monitoring.md has every alert with its severity, and no other', async () => {
  const page = await readFile(join(import.meta.dirname, '../../docs/monitoring.md'), 'utf8');
  const rows = [...page.matchAll(/^\| `(Berth\w+)` *\| (\w+) *\| (.+?) *\| (.+?) *\|$/gm)];
  expect(rows.map(([, alert, severity]) => [alert, severity])).toEqual(
    alerts.map(({ alert, labels }) => [alert, labels.severity]),
  );
  expect(page).toContain('\n## Alerts\n');
  for (const { annotations } of alerts) expect(annotations.docs).toBe('docs/monitoring.md#alerts');
});
