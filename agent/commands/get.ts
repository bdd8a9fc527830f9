/** `berth get KIND`: asks the running agent and prints what it has, as a table like kubectl's or for programs. */
import { stringify } from 'yaml';
import { askAgent } from './ask.ts';
import type { Kind, Output } from './choices.ts';
import { describeMachine } from './machine.ts';
import { tables } from './tables.ts';

/** Prints to standard output; throws when no agent answers. Resolves to the exit code. */
export async function get(kind: Kind, output: Output, socket: string): Promise<number> {
  const items = await askAgent(socket, kind);
  const forPeople = output === 'table' || output === 'wide';
  if (kind === 'inventory' && forPeople) process.stdout.write(`${(await describeMachine()).join('\n')}\n\n`);
  process.stdout.write(format(kind, output, items, Date.now()));
  return 0;
}

/** The text for standard output. `now` in milliseconds since 1970. */
export function format(kind: Kind, output: Output, items: readonly unknown[], now: number): string {
  if (output === 'json') return `${JSON.stringify({ items }, null, 2)}\n`;
  if (output === 'yaml') return stringify({ items });
  if (items.length === 0) return `No ${kind} found.\n`;
  return tables[kind](items, { wide: output === 'wide', now });
}
