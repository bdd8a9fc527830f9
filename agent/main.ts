/** The command line `berth`, and under the name `kubectl-berth` that for a whole cluster. Exit codes: 0 well, 1 failed, 2 wrong arguments or configuration. */
import { Argument, Command, CommanderError, Option } from 'commander';
import { messageOf } from '../kit/errors.ts';
import { documents, kinds, outputs, reports } from './commands/choices.ts';
import type { Document, Kind, Output, Report } from './commands/choices.ts';
import { completionScript, shells } from './kubectl/completion/scripts.ts';
import type { UninstallArguments } from './commands/uninstall.ts';
import type { Shell } from './kubectl/completion/scripts.ts';
import { isPluginName } from './kubectl/name.ts';
import { plugins } from './part.ts';
import type { Plugin } from './part.ts';
import { version } from './version.ts';

const usageExit = 2;

const defaultSocket = '/run/berth/agent.sock';

const program = new Command('berth')
  .description("The Kubernetes node agent for a pod's network, devices and storage.")
  .exitOverride()
  .configureHelp({ showGlobalOptions: true })
  .showHelpAfterError('(berth --help lists the commands)');

program
  .command('run')
  .description('run the agent until SIGTERM')
  .requiredOption('--config <file>', 'the NodeConfig (YAML)')
  .addOption(
    new Option('--only <plugin...>', 'run these plugins only, as a process of its own').choices(plugins).default([]),
  )
  .action(async ({ config, only }: { config: string; only: readonly Plugin[] }) => {
    // Loaded only here, because it brings the three plugins with it.
    const { run } = await import('./commands/run.ts');
    process.exitCode = await run(config, only);
  });

program
  .command('validate')
  .description('check a NodeConfig and name everything that is wrong with it')
  .argument('<file>', 'the NodeConfig (YAML); - reads standard input')
  .action(async (file: string) => {
    const { validate } = await import('./commands/validate.ts');
    process.exitCode = await validate(file);
  });

program
  .command('get')
  .description('show what the agent on this node has')
  .addArgument(new Argument('<kind>').choices(kinds))
  .addOption(new Option('-o, --output <format>', 'how to print it').choices(outputs).default('table'))
  .option('--socket <path>', 'where the agent listens (its agent.socket)', defaultSocket)
  .option('--pool-path <folder>', 'read volumes, snapshots or trash from this pool, without an agent')
  .action(async (kind: Kind, { output, ...at }: { output: Output; socket: string; poolPath?: string }) => {
    const { get } = await import('./commands/get.ts');
    // At once: programs that were asked about the machine and hang would hold the end up.
    process.exit(await get(kind, output, at));
  });

program
  .command('inspect')
  .description('tell everything about one volume or snapshot')
  .argument('<volume>', 'its ID, its name (of the PersistentVolume), or NAMESPACE/CLAIM')
  .addOption(new Option('-o, --output <format>', 'how to print it').choices(outputs).default('table'))
  .option('--socket <path>', 'where the agent listens (its agent.socket)', defaultSocket)
  .option('--pool-path <folder>', 'read it from this pool, without an agent')
  .action(async (volume: string, { output, ...at }: { output: Output; socket: string; poolPath?: string }) => {
    const { inspect } = await import('./commands/inspect.ts');
    process.exitCode = await inspect(volume, output, at);
  });

program
  .command('page')
  .description("print the address of the agent's local page, with its key")
  .option('--socket <path>', 'where the agent listens (its agent.socket)', defaultSocket)
  .action(async ({ socket }: { socket: string }) => {
    const { page } = await import('./commands/page.ts');
    process.exitCode = await page(socket, process.env);
  });

program
  .command('undelete')
  .description('bring a deleted volume or snapshot back from the trash')
  .argument('<volume>', 'its ID, its name (of the PersistentVolume), or NAMESPACE/CLAIM; see berth get trash')
  .addOption(new Option('-o, --output <format>', 'how to print it').choices(reports).default('text'))
  .option('--socket <path>', 'where the agent listens (its agent.socket)', defaultSocket)
  .action(async (volume: string, { output, socket }: { output: Report; socket: string }) => {
    const { undelete } = await import('./commands/undelete.ts');
    process.exitCode = await undelete(volume, output, socket);
  });

program
  .command('explain')
  .description('tell what a device node is, and why it is, or is not, part of each resource')
  .argument('<path>', 'a path below /dev, also of a link, or a number such as c188:0')
  .addOption(new Option('-o, --output <format>', 'how to print it').choices(outputs).default('table'))
  .option('--socket <path>', 'where the agent listens (its agent.socket)', defaultSocket)
  .action(async (path: string, { output, socket }: { output: Output; socket: string }) => {
    const { explain } = await import('./commands/explain.ts');
    process.exitCode = await explain(path, output, socket);
  });

program
  .command('doctor')
  .description('look at this node: what is well, what is not, and what mends it; starts no program and changes nothing')
  .option('--config <file>', 'the NodeConfig (YAML); /etc/berth/config.yaml where there is one, else all plugins')
  .option('--list', 'only name the probes', false)
  .option('--skip <id...>', 'leave these probes, or groups of them, out', [])
  .addOption(
    new Option('--only <plugin...>', 'ask for these plugins only').choices(plugins).default([]).env('BERTH_ONLY'),
  )
  .addOption(new Option('-o, --output <format>', 'how to print it').choices(documents).default('text'))
  .action(
    async (given: {
      config?: string;
      list: boolean;
      skip: readonly string[];
      only: readonly Plugin[];
      output: Document;
    }) => {
      const { doctor, leave } = await import('./commands/doctor.ts');
      await leave(await doctor(given));
    },
  );

program
  .command('uninstall')
  .description("take Berth's network off this node, after the DaemonSet and the pods have gone; volumes stay")
  .option('--config <file>', 'the NodeConfig that the agent ran with, when it named other folders')
  .option('--force', 'also take it from pods that still run', false)
  .option('--dry-run', 'only say what would be removed', false)
  .option(
    '--kept-to <file>',
    'also write what stays on the node to this file, as the termination message of a container',
  )
  .addOption(new Option('-o, --output <format>', 'how to print it').choices(reports).default('text'))
  .action(async (given: UninstallArguments) => {
    const { uninstall } = await import('./commands/uninstall.ts');
    process.exitCode = await uninstall(given);
  });

program
  .command('version')
  .description('print the version')
  .action(() => {
    process.stdout.write(`berth ${version} (node ${process.versions.node})\n`);
  });

program
  .command('completion')
  .description('print what makes a shell complete the words of this program')
  .addArgument(new Argument('<shell>').choices(shells))
  .action((shell: Shell) => {
    process.stdout.write(completionScript(shell, 'berth'));
  });

/** What is not for `berth`'s own words: the plugin of kubectl, and what shells ask while a line is typed. */
async function runOther(): Promise<number | undefined> {
  const [first, ...words] = process.argv.slice(2);
  if (!isPluginName(process.argv[1]) && first !== '__complete') return undefined;
  const { answerWords, runClient } = await import('./kubectl/client.ts');
  return first === '__complete' && !isPluginName(process.argv[1])
    ? await answerWords(program, words, process.env)
    : await runClient(process.argv.slice(2), process.env);
}

try {
  const code = await runOther();
  if (code === undefined) await program.parseAsync();
  else process.exitCode = code;
} catch (error) {
  // commander has already printed what was wrong with the arguments; --help is an "error" of exit code 0.
  if (error instanceof CommanderError) process.exitCode = error.exitCode === 0 ? 0 : usageExit;
  else {
    process.stderr.write(`berth: ${messageOf(error)}\n`);
    process.exitCode = 1;
  }
}
