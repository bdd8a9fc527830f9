/** What stays of Berth on a node after `berth uninstall`: the users' data, and what the next installation goes on with. Looks only. */
import type { Dirent } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { errnoOf } from '../../kit/errors.ts';

export interface Kept {
  readonly path: string;
  /** `2 volumes, 1 snapshot`. */
  readonly what: string;
}

/** A line for each goes to `kubectl berth uninstall --check` by the termination message of daemonset/uninstall. */
export const keptLine = ({ path, what }: Kept): string => `kept ${path}: ${what}`;

/** `pools` are those of a NodeConfig; others are looked for where they are by default. */
export async function keptOn(
  stateDir: string,
  runDir: string,
  pools: readonly string[] = [],
): Promise<readonly Kept[]> {
  const usual = (await entriesOf(join(stateDir, 'pools'))).map(({ name }) => join(stateDir, 'pools', name));
  const held = [...new Set([...pools, ...usual])].sort();
  const states: readonly (readonly [string, string])[] = [
    [join(stateDir, 'network'), 'the pod ranges of this Node'],
    [join(stateDir, 'podranges.json'), 'the pod ranges of this Node'],
    [join(stateDir, 'devices'), 'the IDs of its devices'],
    [join(runDir, 'storage'), 'what volumes are in use; ends with the boot'],
  ];
  const found = await Promise.all([
    ...held.map(poolAt),
    ...states.map(async ([path, what]) => ((await holdsFiles(path)) ? { path, what } : undefined)),
  ]);
  return found.filter((kept) => kept !== undefined);
}

async function poolAt(path: string): Promise<Kept | undefined> {
  const entries = await entriesOf(path);
  if (!entries.some(({ name }) => name === 'pool.json')) return undefined;
  const records = (await entriesOf(join(path, 'meta'))).map(({ name }) => name);
  const count = (prefix: string, noun: string): string => {
    const number = records.filter((name) => name.startsWith(prefix) && name.endsWith('.json')).length;
    return `${number} ${noun}${number === 1 ? '' : 's'}`;
  };
  const trash = (await entriesOf(join(path, 'trash'))).length;
  const deleted = trash === 0 ? [] : ['more in the trash'];
  return { path, what: [count('v1-', 'volume'), count('s1-', 'snapshot'), ...deleted].join(', ') };
}

/** Also true of a file itself. */
async function holdsFiles(path: string): Promise<boolean> {
  const [parent, name] = [dirname(path), basename(path)];
  const entry = (await entriesOf(parent)).find((each) => each.name === name);
  if (entry === undefined || !entry.isDirectory()) return entry !== undefined;
  for (const each of await entriesOf(path)) if (await holdsFiles(join(path, each.name))) return true;
  return false;
}

async function entriesOf(folder: string): Promise<readonly Dirent[]> {
  try {
    return await readdir(folder, { withFileTypes: true });
  } catch (error) {
    if (['ENOENT', 'ENOTDIR'].includes(errnoOf(error) ?? '')) return [];
    throw error;
  }
}
