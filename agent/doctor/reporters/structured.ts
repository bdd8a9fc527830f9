/** Findings for programs: the same as JSON or YAML, with stable names. Pure. */
import { stringify } from 'yaml';
import { severities } from '../finding.ts';
import type { Finding } from '../finding.ts';

export function structuredReport(findings: readonly Finding[], format: 'json' | 'yaml'): string {
  const counts = severities.map((severity) => [severity, findings.filter((each) => each.severity === severity).length]);
  const report = { summary: Object.fromEntries(counts) as object, findings };
  return format === 'json' ? `${JSON.stringify(report, null, 2)}\n` : stringify(report);
}
