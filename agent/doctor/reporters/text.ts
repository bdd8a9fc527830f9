/** Findings for a person: a tree by groups; what is not well with its evidence, its fix and where to read on. Pure. */
import { harmless } from '../../commands/harmless.ts';
import { catalogue } from '../catalogue.ts';
import { severities } from '../finding.ts';
import type { Finding, Severity } from '../finding.ts';

const colours: Readonly<Record<Severity, string>> = { pass: '32', warning: '33', failure: '31', unknown: '36' };

export function textReport(findings: readonly Finding[], { colour }: { readonly colour: boolean }): string {
  const painted = (severity: Severity, text: string): string =>
    colour ? `\u001b[${colours[severity]}m${text}\u001b[0m` : text;
  const lines = catalogue.flatMap(({ name, title }) => {
    const own = findings.filter(({ id }) => id.startsWith(`${name}.`));
    return own.length === 0 ? [] : [title, ...own.flatMap((finding) => linesOf(finding, painted))];
  });
  const counts = severities.map(
    (severity) => `${findings.filter((each) => each.severity === severity).length} ${severity}`,
  );
  return `${[...lines, '', `${findings.length} probes: ${counts.join(', ')}`].join('\n')}\n`;
}

function linesOf(finding: Finding, painted: (severity: Severity, text: string) => string): readonly string[] {
  const { id, severity, message, evidence, fix, link } = finding;
  const head = `  ${painted(severity, severity.padEnd(7))} ${id}: ${harmless(message)}`;
  if (severity === 'pass') return [head];
  const below = (label: string, text: string): readonly string[] =>
    text.split('\n').map((line, at) => `          ${(at === 0 ? label : '').padEnd(5)} ${harmless(line)}`);
  return [
    head,
    ...evidence.flatMap(({ what, from }) => below('seen:', `${what} (${from})`)),
    ...(fix === undefined ? [] : below('fix:', fix)),
    ...below('more:', link),
  ];
}
