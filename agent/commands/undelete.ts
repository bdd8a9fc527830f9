/** `berth undelete VOLUME`: has the agent bring a deleted volume or snapshot back from the trash. */
import type { InspectedSnapshot, InspectedVolume } from '../../csi/objectinspection.ts';
import { haveAgentDo } from './ask.ts';
import { sizeText } from './cells.ts';
import type { Report } from './choices.ts';
import { harmless } from './harmless.ts';

/** Prints what came back; throws when it cannot. Resolves to the exit code. */
export async function undelete(asked: string, output: Report, socket: string): Promise<number> {
  const [back] = (await haveAgentDo(socket, 'undelete', asked)) as readonly (InspectedVolume | InspectedSnapshot)[];
  if (output === 'json') process.stdout.write(`${JSON.stringify(back ?? {}, null, 2)}\n`);
  else if (back !== undefined) {
    const { kind, id, size, type, pool } = back;
    process.stdout.write(`${kind} ${harmless(id)} is back: ${sizeText(size)}, ${type}, pool ${harmless(pool)}\n`);
    if (kind === 'volume')
      process.stderr.write('berth: a PersistentVolume with this ID as its volumeHandle makes it usable again\n');
  }
  return 0;
}
