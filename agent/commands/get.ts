/** `berth get KIND`: asks the running agent and prints what it has, as a table like kubectl's or for programs. */
import { stringify } from 'yaml';
import { BerthError } from '../../kit/errors.ts';
import { formatTable } from '../../kit/table.ts';
import { askAgent } from './ask.ts';
import { storedKinds } from './choices.ts';
import type { Kind, Output } from './choices.ts';
import { describeMachine } from './machine.ts';
import { tables } from './tables.ts';

/** Where the answer comes from: the agent's socket, or a pool's folder that is read without one. */
export interface AskedAt {
  readonly socket: string;
  readonly poolPath?: string;
}

/** Prints to standard output; throws when no agent answers, or the folder cannot be read. Resolves to the exit code. */
export async function get(kind: Kind, output: Output, { socket, poolPath }: AskedAt): Promise<number> {
  const items = poolPath === undefined ? await askAgent(socket, kind) : await readKind(kind, poolPath);
  const forPeople = output === 'table' || output === 'wide';
  if (kind === 'inventory' && forPeople) process.stdout.write(`${(await describeMachine()).join('\n')}\n\n`);
  process.stdout.write(format(kind, output, items, Date.now()));
  return 0;
}

async function readKind(kind: Kind, poolPath: string): Promise<readonly unknown[]> {
  const stored = storedKinds.find((each) => each === kind);
  if (stored === undefined)
    throw new BerthError('INVALID_ARGUMENT', `--pool-path is for ${storedKinds.join(', ')}; ${kind} only an agent has`);
  // Loaded only here, because it brings the kernel with it.
  const { lookAtPoolFolder } = await import('./poolfolder.ts');
  return await lookAtPoolFolder(stored, poolPath);
}

/** The text for standard output. `now` in milliseconds since 1970. */
export function format(kind: Kind, output: Output, items: readonly unknown[], now: number): string {
  if (output === 'json') return `${JSON.stringify({ items }, null, 2)}\n`;
  if (output === 'yaml') return stringify({ items });
  if (items.length === 0) return kind === 'trash' ? 'The trash is empty.\n' : `No ${kind} found.\n`;
  const sheets = tables[kind](items, { wide: output === 'wide', now });
  return sheets.map(({ headings, rows }) => formatTable(headings, rows)).join('\n');
}
