/** Answers `__complete`: a candidate a line, then `:` and what the shell shall do with them, as kubectl's plugins answer. */
import { harmless } from '../../commands/harmless.ts';
import type { Kubectl } from '../kubectl.ts';
import { isObjectName } from '../kubectl.ts';
import type { Completion, NameKind } from './words.ts';

/** Bits of the last line: no space after the word; no files of the shell's own. */
const noSpace = 2;
const noFiles = 4;

/** Somebody waits with a finger on the key. */
const patienceMs = 3_000;

/** The text for standard output. Names that cannot be had are left out without a word. */
export async function completionAnswer(
  { candidates, names, files }: Completion,
  typed: string,
  kubectl: Kubectl,
  namespace: string | undefined,
): Promise<string> {
  const found = await Promise.all(
    names.map(async ({ kind, after }) =>
      (await namesOf(kubectl, kind, namespace)).map((name) => ({ word: `${after}${name}`, about: '' })),
    ),
  );
  const all = [...candidates, ...found.flat()].filter(({ word }) => word.startsWith(typed));
  const lines = all.map(({ word, about }) => (about === '' ? word : `${word}\t${harmless(about)}`));
  const unfinished = all.length > 0 && all.every(({ word }) => /[/=]$/.test(word));
  const directive = (files ? 0 : noFiles) + (unfinished ? noSpace : 0);
  return [...lines, `:${directive}`, ''].join('\n');
}

async function namesOf(kubectl: Kubectl, kind: NameKind, namespace: string | undefined): Promise<readonly string[]> {
  const inNamespace = namespace === undefined ? [] : [`--namespace=${namespace}`];
  const commands: Readonly<Record<NameKind, readonly string[]>> = {
    node: ['get', 'nodes', '-o', 'name'],
    namespace: ['get', 'namespaces', '-o', 'name'],
    pod: ['get', 'pods', '-o', 'name', ...inNamespace],
    pvc: ['get', 'persistentvolumeclaims', '-o', 'name', ...inNamespace],
    context: ['config', 'get-contexts', '-o', 'name'],
  };
  try {
    const { code, stdout } = await kubectl(commands[kind], { ms: patienceMs });
    if (code !== 0) return [];
    const names = stdout.split('\n').map((line) => (kind === 'context' ? line : line.slice(line.indexOf('/') + 1)));
    return names.filter(isObjectName);
  } catch {
    return [];
  }
}
