/** The words of `kubectl berth`: commands, flags and their help. What they do is loaded by whoever runs one. */
import { Argument, Command, InvalidArgumentError, Option } from 'commander';
import { clusterOutputs } from './command.ts';
import type { ClusterOutput } from './command.ts';
import { clusterFlags } from './flags.ts';
import type { ClusterFlags } from './flags.ts';
import { clusterKinds } from './get/kinds.ts';
import type { ClusterKind } from './get/kinds.ts';

/** What every command understands. */
export interface CommonOptions extends ClusterFlags {
  readonly namespace?: string;
  readonly berthNamespace: string;
}

interface Printing extends CommonOptions {
  readonly output?: ClusterOutput;
  readonly headers?: boolean;
}

/** One function for each command; each resolves to the exit code. */
export interface Actions {
  status(
    nodes: readonly string[],
    options: Printing & { readonly selector?: string; readonly wait?: boolean; readonly timeout: number },
  ): Promise<number>;
  get(
    kind: ClusterKind,
    name: string | undefined,
    options: Printing & {
      readonly allNamespaces?: boolean;
      readonly node?: readonly string[];
      readonly selector?: string;
    },
  ): Promise<number>;
  explain(words: readonly string[], options: Printing): Promise<number>;
  doctor(nodes: readonly string[], options: Printing & { readonly selector?: string }): Promise<number>;
  bundle(options: CommonOptions & { readonly output?: string; readonly overwrite?: boolean }): Promise<number>;
  uninstallCheck(options: Printing): Promise<number>;
  version(): number;
}

/** `name` as the user calls it: `kubectl berth`. `done` gets the exit code. */
export function clientProgram(name: string, actions: Actions, done: (code: number) => void): Command {
  const program = new Command(name)
    .description("Berth in a whole cluster: the pod's network, devices and storage of every node.")
    .exitOverride()
    .configureHelp({ showGlobalOptions: false })
    .showHelpAfterError(`(${name} --help lists the commands)`);

  const command = (words: string, description: string): Command => {
    const added = program.command(words).description(description);
    for (const [flags, about] of clusterFlags) {
      const option = new Option(flags, about).helpGroup('Flags of kubectl:');
      added.addOption(flags.startsWith('--as-group') ? option.argParser(gathered) : option);
    }
    return added
      .addOption(
        new Option('-n, --namespace <name>', 'the namespace; that of the context without it').helpGroup(
          'Flags of kubectl:',
        ),
      )
      .addOption(
        new Option('--berth-namespace <name>', 'where agents are, for those who may not look everywhere').default(
          'berth-system',
        ),
      );
  };
  const printing = (words: string, description: string): Command =>
    command(words, description)
      .addOption(new Option('-o, --output <format>', 'how to print it').choices(clusterOutputs))
      .addOption(new Option('--no-headers', 'tables without headings'));
  const labelled = (added: Command): Command => added.option('-l, --selector <labels>', 'only nodes with these labels');

  labelled(printing('status', 'say whether Berth is well on every node, and if not, why'))
    .addArgument(new Argument('[node...]', 'these nodes only'))
    .option('-w, --wait', 'wait until it is')
    .addOption(new Option('--timeout <time>', 'how long to wait: 90s, 5m').argParser(durationOf).default(300_000, '5m'))
    .action(async (nodes: string[], options: Parameters<Actions['status']>[1]) => {
      done(await actions.status(nodes, options));
    });

  labelled(printing('get', 'show what all nodes have'))
    .addArgument(new Argument('<kind>').choices(clusterKinds))
    .addArgument(new Argument('[name]', 'one of them'))
    .option('-A, --all-namespaces', 'of all namespaces')
    .addOption(new Option('--node <name>', 'of this node; may be given again').argParser(gathered))
    .action(async (kind: ClusterKind, thing: string | undefined, options: Parameters<Actions['get']>[2]) => {
      done(await actions.get(kind, thing, options));
    });

  printing('explain', 'say why a pod or claim waits, what a device is, who has a resource')
    .addArgument(new Argument('<what...>', 'pod/NAME, pvc/NAME, device/PATH@NODE or resource/NAME'))
    .action(async (words: string[], options: Printing) => {
      done(await actions.explain(words, options));
    });

  labelled(printing('doctor', 'look at nodes for what keeps Berth from working, and say what mends it'))
    .addArgument(new Argument('[node...]', 'these nodes only'))
    .action(async (nodes: string[], options: Parameters<Actions['doctor']>[1]) => {
      done(await actions.doctor(nodes, options));
    });

  command('bundle', 'write a support archive, without secrets')
    .option('-o, --output <file>', 'the archive (.tar.gz); must not exist')
    .option('--overwrite', 'replace it')
    .action(async (options: Parameters<Actions['bundle']>[0]) => {
      done(await actions.bundle(options));
    });

  printing('uninstall', 'look for what is left of Berth after it was removed; removes nothing')
    .requiredOption('--check', 'only look, which is all that it can do')
    .action(async (options: Printing) => {
      done(await actions.uninstallCheck(options));
    });

  program
    .command('version')
    .description('print the version')
    .action(() => {
      done(actions.version());
    });
  return program;
}

/** An option that may be given again, and takes no word that is not its own. */
function gathered(value: string, before: readonly string[] | undefined): readonly string[] {
  return [...(before ?? []), value];
}

/** Milliseconds of `90s`, `5m`, `1h30m`. */
export function durationOf(text: string): number {
  const units: Readonly<Record<string, number>> = { h: 3_600_000, m: 60_000, s: 1_000, ms: 1 };
  const parts = [...text.matchAll(/(\d+(?:\.\d+)?)(ms|h|m|s)/g)];
  const all = parts.map(([part]) => part).join('');
  if (all !== text || text === '') throw new InvalidArgumentError('expected a time such as 90s or 5m');
  return parts.reduce((sum, [, number, unit = '']) => sum + Number(number) * (units[unit] ?? 0), 0);
}
