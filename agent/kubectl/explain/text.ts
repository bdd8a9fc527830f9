/** An explanation as text: its sentences, then a table for each thing they rest on. Pure. */
import { formatTable } from '../../../kit/table.ts';
import { orNone } from '../../commands/cells.ts';
import { harmless } from '../../commands/harmless.ts';
import type { Explanation } from './sight.ts';

const longestCell = 300;

export function explanationText({ conclusions, evidence }: Explanation): string {
  const sentences = conclusions.map((line) => `${harmless(line)}${/[.!?]$/.test(line) ? '' : '.'}\n`);
  const tables = evidence.map(({ title, headings, rows }) => {
    const cells = rows.map((row) => row.map((cell) => harmless(orNone(cell)).slice(0, longestCell)));
    return `\n${harmless(title)}:\n${formatTable(headings, cells)}`;
  });
  return sentences.join('') + tables.join('');
}
