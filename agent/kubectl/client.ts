/** `kubectl berth` from its arguments to its exit code. Errors begin with `error: `, and every failure is exit code 1, as kubectl's. */
import { CommanderError } from 'commander';
import type { Command } from 'commander';
import { BerthError, errnoOf, messageOf } from '../../kit/errors.ts';
import { harmless } from '../commands/harmless.ts';
import { version } from '../version.ts';
import { bundle } from './bundle/bundle.ts';
import type { ClusterOutput, Session } from './command.ts';
import { completionAnswer } from './completion/answer.ts';
import { complete } from './completion/words.ts';
import { doctor } from './doctor/doctor.ts';
import { explain } from './explain/explain.ts';
import { argumentsOf } from './flags.ts';
import { get } from './get/get.ts';
import { isObjectName, kubectlOf } from './kubectl.ts';
import { uninstallCheck } from './leftovers/uninstall.ts';
import { clientProgram } from './program.ts';
import type { Actions, CommonOptions } from './program.ts';
import { status } from './status/status.ts';
import { paintFor } from './style.ts';

type Environment = Readonly<Record<string, string | undefined>>;

/** `args` follow the program's name. Never throws; resolves to the exit code. */
export async function runClient(args: readonly string[], env: Environment): Promise<number> {
  // Whoever reads, such as `head`, may have seen enough.
  process.stdout.on('error', (error) => {
    process.exit(errnoOf(error) === 'EPIPE' ? 0 : 1);
  });
  if (args[0] === '__complete') return await answerCompletion(args.slice(1), env);
  let code = 0;
  const program = clientProgram('kubectl berth', actionsFor(env), (result) => {
    code = result;
  });
  for (const each of [program, ...program.commands])
    each.exitOverride().configureOutput({
      outputError: (text, write) => {
        write(harmless(text.trimEnd()) + '\n');
      },
    });
  try {
    await program.parseAsync([...args], { from: 'user' });
    return code;
  } catch (error) {
    // commander has already said what was wrong with the arguments; --help is an "error" of exit code 0.
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 1;
    process.stderr.write(`error: ${harmless(messageOf(error))}\n`);
    return 1;
  }
}

function actionsFor(env: Environment): Actions {
  const open = (options: SessionOptions): Session => sessionOf(options, env);
  return {
    status: (asked, { wait = false, timeout, selector, ...options }) =>
      status(open(options), {
        asked: names(asked, 'node'),
        wait,
        timeout,
        ...(selector === undefined ? {} : { selector }),
      }),
    get: (kind, name, { node = [], selector, ...options }) =>
      get(open(options), {
        kind,
        ...(name === undefined ? {} : { name }),
        nodes: names(node, 'node'),
        ...(selector === undefined ? {} : { selector }),
      }),
    explain: (words, options) => explain(open(options), words),
    doctor: (nodes, { selector, ...options }) =>
      doctor(open(options), { nodes: names(nodes, 'node'), ...(selector === undefined ? {} : { selector }) }),
    bundle: ({ output, overwrite = false, ...options }) =>
      bundle(open(options), { overwrite, ...(output === undefined ? {} : { file: output }) }),
    uninstallCheck: (options) => uninstallCheck(open(options)),
    version: () => {
      process.stdout.write(`kubectl-berth ${version} (node ${process.versions.node})\n`);
      return 0;
    },
  };
}

type SessionOptions = CommonOptions & {
  readonly output?: ClusterOutput;
  readonly headers?: boolean;
  readonly allNamespaces?: boolean;
};

function sessionOf(options: SessionOptions, env: Environment): Session {
  const { namespace, berthNamespace, allNamespaces = false, output, headers = true } = options;
  names([berthNamespace, ...(namespace === undefined ? [] : [namespace])], 'namespace');
  const kubectl = kubectlOf(env['KUBECTL'] ?? 'kubectl', argumentsOf(options));
  let asked: Promise<string> | undefined;
  return {
    kubectl,
    berthNamespace,
    namespace: () => (asked ??= namespace === undefined ? contextNamespace(kubectl) : Promise.resolve(namespace)),
    allNamespaces,
    output,
    noHeaders: !headers,
    paint: paintFor(process.stdout, env),
    now: Date.now(),
    print: (text) => {
      process.stdout.write(text);
    },
    tell: (sentence) => {
      process.stderr.write(`${harmless(sentence)}\n`);
    },
  };
}

/** As kubectl does without `-n`. */
async function contextNamespace(kubectl: Session['kubectl']): Promise<string> {
  const ran = await kubectl(['config', 'view', '--minify', '-o', 'jsonpath={..namespace}']);
  const name = ran.code === 0 ? ran.stdout.trim() : '';
  return isObjectName(name) ? name : 'default';
}

/** Throws INVALID_ARGUMENT for what cannot be the name of an object: it could be a flag. */
function names(given: readonly string[], what: string): readonly string[] {
  const wrong = given.find((name) => !isObjectName(name));
  if (wrong !== undefined) throw new BerthError('INVALID_ARGUMENT', `"${wrong}" cannot be the name of a ${what}`);
  return given;
}

async function answerCompletion(words: readonly string[], env: Environment): Promise<number> {
  return await answerWords(
    clientProgram('kubectl berth', actionsFor(env), () => undefined),
    words,
    env,
  );
}

/** What can follow these words of the program, the last of which is being typed. Resolves to the exit code. */
export async function answerWords(program: Command, words: readonly string[], env: Environment): Promise<number> {
  const own = completionFlags(words);
  const completion = complete(program, words);
  const kubectl = kubectlOf(env['KUBECTL'] ?? 'kubectl', argumentsOf(own));
  process.stdout.write(await completionAnswer(completion, words.at(-1) ?? '', kubectl, own.namespace));
  return 0;
}

/** The flags that say which cluster and namespace, of a line that is not finished. */
function completionFlags(words: readonly string[]): { namespace?: string; context?: string; kubeconfig?: string } {
  const valueOf = (...flags: readonly string[]): string | undefined => {
    for (const [index, word] of words.slice(0, -1).entries()) {
      if (flags.includes(word) && index + 1 < words.length - 1) return words[index + 1];
      const flag = flags.find((each) => word.startsWith(`${each}=`));
      if (flag !== undefined) return word.slice(flag.length + 1);
    }
    return undefined;
  };
  const [namespace, context, kubeconfig] = [
    valueOf('-n', '--namespace'),
    valueOf('--context'),
    valueOf('--kubeconfig'),
  ];
  return {
    ...(namespace === undefined ? {} : { namespace }),
    ...(context === undefined ? {} : { context }),
    ...(kubeconfig === undefined ? {} : { kubeconfig }),
  };
}
