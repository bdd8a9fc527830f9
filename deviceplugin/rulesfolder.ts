/**
 * The rules of a node: those of the NodeConfig, and those of a folder that may change while the agent runs, as a mounted
 * ConfigMap does. All files are read and checked together and taken over at once, or not at all.
 */
import { readdir, realpath } from 'node:fs/promises';
import { join } from 'node:path';
import { watchDirectory } from '../kit/directorywatch.ts';
import { errnoOf, messageOf } from '../kit/errors.ts';
import { readRegularFile } from '../kit/regularfile.ts';
import { formatProblem } from '../kit/config/problem.ts';
import { parseRules } from './config/rulesfile.ts';
import type { ResourceRule } from './config/resource.ts';
import type { DevicesConfig } from './config/section.ts';

/** What the folder says: rules in the order of the files' names, or everything that is wrong, as `file:line: place: what`. */
export type FolderContent = { readonly rules: readonly ResourceRule[] } | { readonly problems: readonly string[] };

const maxFiles = 64;
const maxFileBytes = 1024 * 1024;

/** Reads the folder. One that does not exist (yet) has no rules: a ConfigMap may be optional. */
export async function readRulesFolder(
  folder: string,
  config: Pick<DevicesConfig, 'resources' | 'mountRoots'>,
): Promise<FolderContent> {
  return parse(await readWhole(folder), config);
}

/** What lies in the folder, not yet looked into: enough to see that nothing has changed. */
type Texts = { readonly files: readonly RulesText[] } | { readonly problems: readonly string[] };

async function readWhole(folder: string): Promise<Texts> {
  const version = await versionOf(folder);
  const read = await readFiles(folder, version);
  // A version that was replaced meanwhile is removed file by file: what is there now is whole.
  return 'problems' in read && (await versionOf(folder)) !== version ? await readWhole(folder) : read;
}

function parse(texts: Texts, config: Pick<DevicesConfig, 'resources' | 'mountRoots'>): FolderContent {
  return 'problems' in texts ? texts : parseFiles(texts.files, config);
}

/** A mounted ConfigMap is a folder of links through `..data` to one version, which never changes; else it is the folder itself. */
async function versionOf(folder: string): Promise<string> {
  return await realpath(join(folder, '..data')).catch(() => folder);
}

interface RulesText {
  /** Where people find it. */
  readonly path: string;
  readonly text: string;
}

async function readFiles(folder: string, version: string): Promise<Texts> {
  let names: readonly string[];
  try {
    names = (await readdir(version)).filter((name) => /^[^.].*\.ya?ml$/.test(name)).sort();
  } catch (thrown) {
    return errnoOf(thrown) === 'ENOENT' && version === folder
      ? { files: [] }
      : { problems: [`${folder}: ${messageOf(thrown)}`] };
  }
  if (names.length > maxFiles) return { problems: [`${folder}: has ${names.length} files, more than ${maxFiles}`] };
  const files: RulesText[] = [];
  for (const name of names)
    try {
      files.push({ path: join(folder, name), text: await readRegularFile(join(version, name), maxFileBytes) });
    } catch (thrown) {
      return { problems: [`${join(folder, name)}: ${messageOf(thrown)}`] };
    }
  return { files };
}

function parseFiles(
  files: readonly RulesText[],
  { resources, mountRoots }: Pick<DevicesConfig, 'resources' | 'mountRoots'>,
): FolderContent {
  const otherNames = new Map(resources.map(({ name }) => [name, 'devices.resources of the NodeConfig']));
  const rules: ResourceRule[] = [];
  const problems: string[] = [];
  for (const { path, text } of files) {
    const parsed = parseRules(text, { mountRoots, otherNames });
    if ('problems' in parsed) problems.push(...parsed.problems.map((problem) => formatProblem(path, problem)));
    else
      for (const rule of parsed.rules) {
        rules.push(rule);
        otherNames.set(rule.name, path);
      }
  }
  return problems.length === 0 ? { rules } : { problems };
}

/** Calls `changed` with the folder's content now and whenever it says something else. */
export function followRulesFolder(
  folder: string,
  config: Pick<DevicesConfig, 'resources' | 'mountRoots'>,
  changed: (content: FolderContent) => void,
  signal: AbortSignal,
): void {
  let before: string | undefined;
  const look = async (): Promise<void> => {
    const texts = await readWhole(folder);
    // Parsed only when it is another text: some hundred rules take the event loop 50 ms.
    const now = JSON.stringify(texts);
    if (now === before || signal.aborted) return;
    before = now;
    changed(parse(texts, config));
  };
  watchDirectory(folder, look, { signal, pollMs: 5_000 });
}
