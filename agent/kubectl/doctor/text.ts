/** Merged findings as text: what is not well with its nodes and what mends it, and the rest as a number. Pure. */
import { harmless } from '../../commands/harmless.ts';
import type { Paint } from '../style.ts';
import type { MergedProbe } from './merge.ts';

/** `wide` also lists the probes that pass. */
export function mergedText(
  probes: readonly MergedProbe[],
  { wide, paint }: { readonly wide: boolean; readonly paint: Paint },
): string {
  const passing = probes.filter(({ severity }) => severity === 'pass');
  const shown = wide ? probes : probes.filter(({ severity }) => severity !== 'pass');
  const lines = shown.flatMap(({ id, title, severity, outcomes, link }) => [
    `${paint(severity, severity.padEnd(8))} ${harmless(id)}: ${harmless(title)}`,
    ...outcomes
      .filter((outcome) => outcome.severity !== 'pass' || severity === 'pass')
      .flatMap(({ nodes, message, fix }) => [
        `         ${harmless(namesOf(nodes))}: ${harmless(message)}`,
        ...(fix === '' ? [] : fix.split('\n').map((line) => `           fix: ${harmless(line)}`)),
      ]),
    ...(severity === 'pass' || link === '' ? [] : [`           see: ${harmless(link)}`]),
  ]);
  const counts = ['failure', 'warning', 'unknown'].map((severity) => {
    const count = probes.filter((probe) => probe.severity === severity).length;
    return `${count} ${severity === 'unknown' ? 'unknown' : `${severity}s`}`;
  });
  return [...lines, `${passing.length} probes pass on all nodes, ${counts.join(', ')}`, ''].join('\n');
}

function namesOf(nodes: readonly string[]): string {
  return nodes.length <= 6 ? nodes.join(', ') : `${nodes.slice(0, 5).join(', ')} and ${nodes.length - 5} more`;
}
