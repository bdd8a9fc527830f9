/** `berth doctor`: looks at this node and prints what is well, what is not, and what mends it. */
import { existsSync } from 'node:fs';
import type { ConfigFileView } from '../config/configfile.ts';
import { catalogue } from '../doctor/catalogue.ts';
import { runDoctor } from '../doctor/doctor.ts';
import type { Finding } from '../doctor/finding.ts';
import { structuredReport } from '../doctor/reporters/structured.ts';
import { textReport } from '../doctor/reporters/text.ts';
import { loadNodeConfig } from '../nodeconfig.ts';
import type { NodeConfig } from '../nodeconfig.ts';
import type { Plugin } from '../part.ts';
import { agentSchema } from '../settings.ts';
import { askEach } from './ask.ts';
import type { Document } from './choices.ts';
import { readNodeConfig } from './readnodeconfig.ts';

export interface DoctorArguments {
  readonly config?: string;
  readonly list: boolean;
  /** IDs of probes, or names of their groups. */
  readonly skip: readonly string[];
  readonly only: readonly Plugin[];
  readonly output: Document;
}

const usualFile = '/etc/berth/config.yaml';

/** All plugins with their defaults: for a node that has no configuration yet. */
const withoutFile = `apiVersion: berth.dev/v1alpha1
kind: NodeConfig
network: {}
devices: {rulesDir: /etc/berth-devices}
storage: {}
`;

/** Resolves to the exit code: 0 when nothing failed, 1 when something did, 2 for wrong arguments or a wrong configuration. */
export async function doctor({ config: file, list, skip, only, output }: DoctorArguments): Promise<number> {
  const probes = catalogue.flatMap(({ name, probes: own }) => own.map(({ id, title }) => ({ group: name, id, title })));
  if (list) {
    await written(probes.map(({ id, title }) => `${id.padEnd(28)} ${title}\n`).join(''));
    return 0;
  }
  const unknown = skip.filter((word) => !probes.some(({ group, id }) => word === id || word === group));
  if (unknown.length > 0) {
    process.stderr.write(`berth: --skip ${unknown.join(' ')}: no such probe; berth doctor --list names them\n`);
    return 2;
  }
  const config = (await configFrom(file)) ?? (file === undefined ? await configOfAgent() : undefined);
  if (config === undefined) return 2;
  const skipped = new Set(
    probes.filter(({ group, id }) => skip.includes(id) || skip.includes(group)).map(({ id }) => id),
  );
  const findings = await runDoctor(partly(config, only), {
    signal: new AbortController().signal,
    env: process.env,
    skip: skipped,
    thorough: true,
  });
  await written(report(findings, output));
  return findings.some(({ severity }) => severity === 'failure') ? 1 : 0;
}

function report(findings: readonly Finding[], output: Document): string {
  if (output !== 'text') return structuredReport(findings, output);
  const colour = process.stdout.isTTY && (process.env['NO_COLOR'] ?? '') === '';
  return textReport(findings, { colour });
}

/** Before the end of the process takes the rest of it away. */
async function written(text: string): Promise<void> {
  await new Promise((resolve) => process.stdout.write(text, resolve));
}

async function configFrom(file: string | undefined): Promise<NodeConfig | undefined> {
  const nodeName = process.env['NODE_NAME'] ?? 'any-node';
  if (file !== undefined || existsSync(usualFile)) return await readNodeConfig(file ?? usualFile, nodeName);
  const loaded = loadNodeConfig(withoutFile, nodeName);
  return 'config' in loaded ? loaded.config : undefined;
}

/**
 * What the agent could use last, where it tells that its file is the usual one and cannot be used: that is a finding, and no reason
 * not to look. What is wrong was printed.
 */
async function configOfAgent(): Promise<NodeConfig | undefined> {
  const answers = await askEach(agentSchema.parse({}).socket, 'configuration');
  const views = answers.flatMap((answer) => ('items' in answer ? (answer.items as readonly ConfigFileView[]) : []));
  const told = views.find(({ file, problems }) => file === usualFile && problems.length > 0);
  if (told === undefined) return undefined;
  const loaded = loadNodeConfig(told.text, process.env['NODE_NAME'] ?? 'any-node');
  if ('problems' in loaded) return undefined;
  process.stderr.write('berth: looking with the configuration that the agent runs with\n');
  return loaded.config;
}

/** Without the sections of other plugins: a container that runs one of them sees not what the others need. */
function partly(config: NodeConfig, only: readonly Plugin[]): NodeConfig {
  const { agent, kubelet } = config;
  return only.length === 0
    ? config
    : { agent, kubelet, ...Object.fromEntries(only.map((each) => [each, config[each]])) };
}

/**
 * Ends the process at once: a disk or server that does not answer has a thread of it, for whose end Node would wait. What was
 * printed is out.
 */
export async function leave(code: number): Promise<never> {
  const { exitNow } = await import('../../linux/exit.ts');
  return exitNow(code);
}
