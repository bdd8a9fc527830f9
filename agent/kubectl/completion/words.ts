/** What can follow on a command line, as kubectl and the shells ask for it: words of ours first, names of the cluster where cheap. */
import type { Command, Option } from 'commander';

/** Names that only a cluster knows. */
export type NameKind = 'node' | 'namespace' | 'pod' | 'pvc' | 'context';

export interface Candidate {
  readonly word: string;
  readonly about: string;
}

export interface Completion {
  readonly candidates: readonly Candidate[];
  /** Names to be looked up and offered as well, each after this text. */
  readonly names: readonly { readonly kind: NameKind; readonly after: string }[];
  /** The shell offers files itself. */
  readonly files: boolean;
}

const nothing: Completion = { candidates: [], names: [], files: false };

/** Names that the values of these options are. */
const optionNames: Readonly<Record<string, NameKind>> = {
  '--node': 'node',
  '--namespace': 'namespace',
  '--berth-namespace': 'namespace',
  '--context': 'context',
};

/** `words` are those after the program's name; the last is the one that is being typed, and may be empty. */
export function complete(program: Command, words: readonly string[]): Completion {
  const typed = words.at(-1) ?? '';
  const before = words.slice(0, -1);
  const { command, rest } = commandOf(program, before);
  const options = [...command.options, ...program.options].filter(({ hidden }) => !hidden);
  const awaiting = rest.length === 0 ? undefined : valueAwaited(options, rest.at(-1) ?? '');
  if (awaiting !== undefined) return valuesOf(awaiting, typed);
  if (typed.startsWith('--') && typed.includes('=')) {
    const option = options.find(({ long }) => long === typed.slice(0, typed.indexOf('=')));
    return option === undefined ? nothing : valuesOf(option, typed);
  }
  if (typed.startsWith('-') && !before.includes('--')) {
    const candidates = options.flatMap(({ long, description }) =>
      long?.startsWith(typed) === true ? [{ word: long, about: description }] : [],
    );
    return { ...nothing, candidates };
  }
  if (command.commands.length > 0) return { ...nothing, candidates: subcommands(command, typed) };
  return positional(command, positionals(options, rest), typed);
}

function commandOf(
  program: Command,
  words: readonly string[],
): { readonly command: Command; readonly rest: readonly string[] } {
  for (const [index, word] of words.entries()) {
    const found = program.commands.find((command) => command.name() === word || command.aliases().includes(word));
    if (found !== undefined) return { command: found, rest: words.slice(index + 1) };
  }
  return { command: program, rest: words };
}

function valueAwaited(options: readonly Option[], last: string): Option | undefined {
  return options.find(({ long, short, required }) => required && (last === long || last === short));
}

/** The words that are neither options nor their values. */
function positionals(options: readonly Option[], words: readonly string[]): readonly string[] {
  return words.filter(
    (word, index) => !word.startsWith('-') && valueAwaited(options, words[index - 1] ?? '') === undefined,
  );
}

function valuesOf(option: Option, typed: string): Completion {
  const equals = typed.indexOf('=');
  const [head, value] = typed.startsWith('--') ? [typed.slice(0, equals + 1), typed.slice(equals + 1)] : ['', typed];
  const kind = optionNames[option.long ?? ''];
  if (kind !== undefined) return { ...nothing, names: [{ kind, after: head }] };
  if (option.argChoices === undefined) return { ...nothing, files: /<(file|path|folder)>/.test(option.flags) };
  return { ...nothing, candidates: startingWith(option.argChoices, value, head) };
}

function startingWith(words: readonly string[], typed: string, head = ''): readonly Candidate[] {
  return words.filter((word) => word.startsWith(typed)).map((word) => ({ word: `${head}${word}`, about: '' }));
}

function subcommands(command: Command, typed: string): readonly Candidate[] {
  return command
    .createHelp()
    .visibleCommands(command)
    .flatMap((each) => (each.name().startsWith(typed) ? [{ word: each.name(), about: each.description() }] : []));
}

function positional(command: Command, given: readonly string[], typed: string): Completion {
  const declared = command.registeredArguments;
  const argument = declared[given.length] ?? declared.findLast(({ variadic }) => variadic);
  if (argument === undefined) return nothing;
  if (argument.argChoices !== undefined) return { ...nothing, candidates: startingWith(argument.argChoices, typed) };
  switch (argument.name()) {
    case 'node':
      return { ...nothing, names: [{ kind: 'node', after: '' }] };
    case 'what':
      return whatToExplain(given, typed);
    case 'file':
    case 'folder':
    case 'path':
      return { ...nothing, files: true };
    default:
      return nothing;
  }
}

function whatToExplain(given: readonly string[], typed: string): Completion {
  const named = (kind: string, after: string): Completion =>
    kind === 'pod' || kind === 'pvc' ? { ...nothing, names: [{ kind, after }] } : nothing;
  if (given.length > 0) return named(given[0] ?? '', '');
  const slash = typed.indexOf('/');
  if (slash !== -1) return named(typed.slice(0, slash), typed.slice(0, slash + 1));
  return { ...nothing, candidates: startingWith(['pod/', 'pvc/', 'device/', 'resource/'], typed) };
}
