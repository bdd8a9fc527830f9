/** The rules for Prometheus, daemonset/monitoring/rules.yaml, as data, and the same as an object of the Prometheus operator. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parse, stringify } from 'yaml';
import { z } from 'zod';

export const monitoringFolder = join(import.meta.dirname, '../../daemonset/monitoring');
export const rulesPath = join(monitoringFolder, 'rules.yaml');

const recordingSchema = z.strictObject({
  record: z.string().regex(/^berth:[a-z0-9_]+:[a-z0-9_]+$|^berth:[a-z0-9_]+$/),
  expr: z.string(),
});
const alertSchema = z.strictObject({
  alert: z.string().regex(/^Berth[A-Z][A-Za-z]+$/),
  expr: z.string(),
  for: z.string().optional(),
  labels: z.strictObject({ severity: z.enum(['critical', 'warning']) }),
  /** `docs` is a page of this repository with its heading. */
  annotations: z.strictObject({ summary: z.string(), description: z.string(), docs: z.string() }),
});
const fileSchema = z.strictObject({
  groups: z.array(z.strictObject({ name: z.string(), rules: z.array(z.union([recordingSchema, alertSchema])) })),
});

export type Alert = z.infer<typeof alertSchema>;
export type Recording = z.infer<typeof recordingSchema>;

export interface Rules {
  readonly alerts: readonly Alert[];
  readonly recordings: readonly Recording[];
}

/** Throws what zod throws when a rule has not what all have. */
export async function readRules(): Promise<Rules> {
  const all = fileSchema.parse(parse(await readFile(rulesPath, 'utf8'))).groups.flatMap(({ rules }) => rules);
  return {
    alerts: all.filter((rule) => 'alert' in rule),
    recordings: all.filter((rule) => 'record' in rule),
  };
}

/** The text of prometheusrule.yaml before it is formatted. */
export async function prometheusRule(): Promise<string> {
  const spec = fileSchema.parse(parse(await readFile(rulesPath, 'utf8')));
  const metadata = { name: 'berth', namespace: 'berth-system', labels: { 'app.kubernetes.io/name': 'berth' } };
  const object = { apiVersion: 'monitoring.coreos.com/v1', kind: 'PrometheusRule', metadata, spec };
  return `# Made by npm run generate from rules.yaml: change that.\n${stringify(object, { lineWidth: 0 })}`;
}
