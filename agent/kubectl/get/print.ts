/** Things of many nodes as tables with the node first, as JSON, YAML or names. Pure. */
import { stringify } from 'yaml';
import { formatTable } from '../../../kit/table.ts';
import type { Sheet } from '../../commands/cells.ts';
import { harmless } from '../../commands/harmless.ts';
import { tables } from '../../commands/tables.ts';
import type { ClusterOutput } from '../command.ts';
import { kindsOfThings } from './kinds.ts';
import type { ClusterKind, OfNode } from './kinds.ts';

export interface PrintOptions {
  readonly output: ClusterOutput | undefined;
  readonly noHeaders: boolean;
  /** Milliseconds since 1970. */
  readonly now: number;
}

export function printed(
  kind: ClusterKind,
  things: readonly OfNode[],
  { output, noHeaders, now }: PrintOptions,
): string {
  // The name that Kubernetes gives it in its own objects; some of ours have a `node` already.
  const items = things.map(({ node, item }) => ({ nodeName: node, ...(item as object) }));
  if (output === 'json') return `${JSON.stringify({ items }, null, 2)}\n`;
  if (output === 'yaml') return stringify({ items });
  if (output === 'name') {
    const { singular, namesOf } = kindsOfThings[kind];
    return things.map(({ item }) => `${singular}/${harmless(namesOf(item)[0])}\n`).join('');
  }
  return sheetsOf(kind, things, output === 'wide', now)
    .map(({ headings, rows }) => formatTable(headings, rows))
    .map((text) => (noHeaders ? text.slice(text.indexOf('\n') + 1) : text))
    .join('\n');
}

/** The tables of each node, those of equal headings as one. */
function sheetsOf(kind: ClusterKind, things: readonly OfNode[], wide: boolean, now: number): readonly Sheet[] {
  const byNode = Map.groupBy(things, ({ node }) => node);
  const sheets = [...byNode].flatMap(([node, own]) =>
    tables[kind](
      own.map(({ item }) => item),
      { wide, now },
    ).map(({ headings, rows }): Sheet => {
      // Of routes the other node is told, which is another.
      const other = headings.map((heading) => (heading === 'NODE' ? 'TO NODE' : heading));
      return { headings: ['NODE', ...other], rows: rows.map((row) => [node, ...row].map(harmless)) };
    }),
  );
  const alike = Map.groupBy(sheets, ({ headings }) => headings.join('\n'));
  return [...alike.values()].map(([first, ...more]): Sheet => ({
    headings: first?.headings ?? [],
    rows: [first, ...more].flatMap((sheet) => sheet?.rows ?? []),
  }));
}
