/** The status of all nodes as text: a line for each part, and a table of the nodes. */
import { orNone } from '../../commands/cells.ts';
import { harmless } from '../../commands/harmless.ts';
import { formatTable } from '../../../kit/table.ts';
import type { Paint } from '../style.ts';
import type { NodeVerdict, PartVerdict, Status } from './verdict.ts';

const words: Readonly<Record<PartVerdict['state'] | NodeVerdict['state'], string>> = {
  well: 'OK',
  ill: 'NOT WELL',
  unseen: 'UNSEEN',
  off: 'off',
};

/** `wide` adds every reason of a node, where the table has the first. */
export function statusText(
  { parts, nodes, notes }: Status,
  { wide, noHeaders, paint }: { readonly wide: boolean; readonly noHeaders: boolean; readonly paint: Paint },
): string {
  const lines = parts.map(
    ({ part, state, text }) => `${`${part}:`.padEnd(9)} ${paint(state, words[state].padEnd(8))}  ${harmless(text)}\n`,
  );
  const rows = nodes.map(({ node, state, agent, version, network, devices, storage, reasons }) => {
    const [first = '', ...more] = reasons;
    const reason = wide ? reasons.join('; ') : `${first}${more.length === 0 ? '' : ` (and ${more.length} more)`}`;
    return [node, words[state], agent, version, network, devices, storage, reason].map(orNone).map(harmless);
  });
  const headings = ['NODE', 'STATE', 'AGENT', 'VERSION', 'NETWORK', 'DEVICES', 'STORAGE', 'REASON'];
  const table = nodes.length === 0 ? '' : `\n${formatTable(headings, rows)}`;
  const shown = noHeaders ? table.replace(/^\n.*\n/, '\n') : table;
  const said = notes.length === 0 ? '' : `\n${notes.map((note) => `${paint('unseen', '!')} ${note}\n`).join('')}`;
  return `${lines.join('')}${shown}${said}`;
}
