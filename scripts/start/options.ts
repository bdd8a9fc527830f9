/** The command line of `npm start`. */
import { existsSync, statSync } from 'node:fs';
import { Command, InvalidArgumentError } from 'commander';

export interface StartOptions {
  /** Stay up until Ctrl-C and print how to use kubectl. */
  readonly watch: boolean;
  /** Nodes of the cluster, the first of which also runs the control plane. */
  readonly nodes: number;
  /** Folder with manifests to apply in place of the examples; the proofs that need the examples are then left out. */
  readonly manifests: string | undefined;
}

/** Parses the arguments after `--`. Prints usage and exits with 2 on a mistake, as the other commands do. */
export function parseOptions(args: readonly string[]): StartOptions {
  const program = new Command('npm start --')
    .description('Runs Berth on a real Kubernetes of this machine, applies the examples and proves what each pod got.')
    .option('--watch', 'stay up until Ctrl-C', false)
    .option('--nodes <n>', 'number of nodes', nodeCount, 1)
    .option('--manifests <dir>', 'apply these manifests in place of the examples', folder)
    .exitOverride((error) => process.exit(error.exitCode === 0 ? 0 : 2));
  program.parse([...args], { from: 'user' });
  const options = program.opts<{ watch: boolean; nodes: number; manifests?: string }>();
  return { watch: options.watch, nodes: options.nodes, manifests: options.manifests };
}

function nodeCount(text: string): number {
  const count = Number(text);
  if (!/^[1-9]\d*$/.test(text) || count > 16) throw new InvalidArgumentError('expected a whole number from 1 to 16.');
  return count;
}

function folder(path: string): string {
  if (!existsSync(path) || !statSync(path).isDirectory()) throw new InvalidArgumentError('there is no such folder.');
  return path;
}
