/** A real Prometheus in the network of a node, with the configuration that docs/monitoring.md gives. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parse, stringify } from 'yaml';
import { z } from 'zod';
import type { Cluster } from '../../cluster/cluster.ts';
import { berthNamespace } from '../../scripts/deploy.ts';
import { listPods } from '../../scripts/kubectl.ts';
import { ensurePrometheus } from '../../scripts/monitoring/prometheus.ts';
import { rulesPath } from '../../scripts/monitoring/rulesfile.ts';
import { askWithin } from './askwithin.ts';

export interface RunningPrometheus {
  /** Answers of its API to these paths, such as `/api/v1/targets`: the `data` of each. Throws where one is an error. */
  ask(paths: readonly string[]): Promise<readonly unknown[]>;
  stop(): Promise<void>;
}

const page = join(import.meta.dirname, '../../docs/monitoring.md');
const documented = z.object({
  rule_files: z.tuple([z.literal('rules.yaml')]),
  scrape_configs: z.tuple([
    z.strictObject({
      job_name: z.string(),
      scheme: z.string(),
      tls_config: z.object({ insecure_skip_verify: z.boolean() }),
      relabel_configs: z.array(z.looseObject({})),
      authorization: z.object({ credentials_file: z.string() }),
      kubernetes_sd_configs: z.tuple([
        z.strictObject({
          role: z.literal('pod'),
          namespaces: z.object({ names: z.tuple([z.literal(berthNamespace)]) }),
        }),
      ]),
    }),
  ]),
});
const answer = z.object({ status: z.string(), data: z.unknown(), error: z.string().optional() });
const port = 9090;

/** In the network of the first node. */
export async function runPrometheus(cluster: Cluster, token: string): Promise<RunningPrometheus> {
  const [node] = cluster.nodes;
  if (node === undefined) throw new Error('the cluster has no node');
  const { prometheus } = await ensurePrometheus();
  const folder = await mkdtemp(join(tmpdir(), 'berth-prometheus-'));
  const tokenFile = join(folder, 'token');
  const configFile = join(folder, 'prometheus.yml');
  await writeFile(tokenFile, token, { mode: 0o600 });
  await writeFile(configFile, await configuration(tokenFile, await discovered(cluster)));
  const options = [
    `--config.file=${configFile}`,
    `--storage.tsdb.path=${join(folder, 'data')}`,
    `--web.listen-address=127.0.0.1:${port}`,
    '--log.level=warn',
  ];
  const within = ['--target', String(node.pid), '--net', '--'];
  const child = spawn('nsenter', [...within, prometheus, ...options], { stdio: ['ignore', 'inherit', 'inherit'] });
  const ended = once(child, 'close');
  return {
    ask: async (paths) => {
      const answers = await askWithin(
        node,
        paths.map((path) => ({ url: `http://127.0.0.1:${port}${path}` })),
      );
      return answers.map(({ status, body }, index) => {
        if (status === 0) throw new Error(`Prometheus does not answer: ${body}`);
        const { data, error } = answer.parse(JSON.parse(body));
        if (error !== undefined) throw new Error(`${decodeURIComponent(paths[index] ?? '')}: ${error}`);
        return data;
      });
    },
    stop: async () => {
      child.kill('SIGTERM');
      await ended;
      await rm(folder, { recursive: true });
    },
  };
}

/** A target as Kubernetes' discovery of pods finds it; Debian builds Prometheus without that. */
interface Target {
  readonly targets: readonly [string];
  readonly labels: Readonly<Record<string, string>>;
}

/** One for each container: those of the agents declare no ports. */
async function discovered(cluster: Cluster): Promise<readonly Target[]> {
  const pods = await listPods(cluster, berthNamespace);
  return pods.flatMap(({ metadata, spec, status }) =>
    spec.containers.map(({ name }) => {
      const ip = status.podIP ?? '';
      const meta = {
        pod_ip: ip,
        pod_name: metadata.name,
        pod_node_name: spec.nodeName ?? '',
        pod_container_name: name,
        pod_label_app_kubernetes_io_name: metadata.labels?.['app.kubernetes.io/name'] ?? '',
      };
      const labels = Object.entries(meta).map(([key, value]) => [`__meta_kubernetes_${key}`, value]);
      return { targets: [ip], labels: Object.fromEntries(labels) as Record<string, string> };
    }),
  );
}

/** That of the page, with what is of this machine, and quicker. */
async function configuration(tokenFile: string, static_configs: readonly Target[]): Promise<string> {
  const text = /```yaml\n(rule_files:[^]*?)```/.exec(await readFile(page, 'utf8'))?.[1] ?? '';
  const { scrape_configs } = documented.parse(parse(text));
  const [{ job_name, scheme, tls_config, relabel_configs }] = scrape_configs;
  return stringify({
    global: { scrape_interval: '1s', evaluation_interval: '1s' },
    rule_files: [rulesPath],
    scrape_configs: [
      { job_name, scheme, tls_config, relabel_configs, authorization: { credentials_file: tokenFile }, static_configs },
    ],
  });
}
