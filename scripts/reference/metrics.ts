/** The text of docs/metrics.md: every metric that an agent with all three plugins registers, in the words of its help. */
import { readFile } from 'node:fs/promises';
import { createRegistry, registerConfigMetric, registerServiceMetrics } from '../../agent/metrics.ts';
import { loadNodeConfig } from '../../agent/nodeconfig.ts';
import { createServices } from '../../agent/services.ts';
import { createLogger } from '../../kit/log.ts';
import { exampleFile } from './configuration.ts';
import { table } from './table.ts';

/** A metric as prom-client keeps it; its types leave the label names out. */
interface Metric {
  readonly name: string;
  readonly help: string;
  readonly type: string;
  readonly labelNames?: readonly string[];
}

/** Every metric that there is, in the order of registration. Throws when docs/example.yaml is not valid. */
export async function inventory(): Promise<readonly Metric[]> {
  const loaded = loadNodeConfig(await readFile(exampleFile, 'utf8'), undefined);
  if ('problems' in loaded) throw new Error('docs/example.yaml is not valid: run berth validate');
  const registry = createRegistry();
  // The program's own wiring; nothing is started.
  createServices(loaded.config, { log: createLogger('error'), registry, env: {} });
  registerServiceMetrics(registry, []);
  registerConfigMetric(registry, () => true);
  return registry.getMetricsAsArray() as unknown as readonly Metric[];
}

function row({ name, type, labelNames = [], help }: Metric): readonly string[] {
  return [`\`${name}\``, type, labelNames.map((label) => `\`${label}\``).join(', '), help];
}

/** The text of the page, before it is formatted. */
export async function metricsPage(): Promise<string> {
  const all = await inventory();
  const headings = ['Metric', 'Type', 'Labels', 'Meaning'];
  const rowsOf = (prefix: string): (readonly string[])[] =>
    all
      .filter(({ name }) => name.startsWith(prefix))
      .map(row)
      .toSorted((a, b) => (a[0] ?? '').localeCompare(b[0] ?? ''));
  const parts = [
    ['The agent', ['berth_build_', 'berth_config_', 'berth_service_', 'berth_kubernetes_']],
    ['Network', ['berth_cni_']],
    ['Devices', ['berth_device_']],
    ['Storage', ['berth_csi_']],
    ['The process', ['process_', 'nodejs_']],
  ] as const;
  const missing = all.filter(
    ({ name }) => !parts.some(([, prefixes]) => prefixes.some((each) => name.startsWith(each))),
  );
  if (missing.length > 0) throw new Error(`docs/metrics.md has no part for ${missing.map(({ name }) => name).join()}`);
  const tables = parts.map(([title, prefixes]) => `## ${title}\n\n${table(headings, prefixes.flatMap(rowsOf))}`);
  return `<!-- Made by npm run generate from the program: change the help of the metrics. -->

# Metrics

The agent serves Prometheus text on \`/metrics\` of its loopback port (\`agent.port\`, 9880), and with \`agent.metrics\` to your
Prometheus. The metrics of a plugin are there when its section is in the configuration. How to scrape them, a dashboard, and what to
watch, as rules: [monitoring.md](monitoring.md).

${tables.join('\n\n')}
`;
}
