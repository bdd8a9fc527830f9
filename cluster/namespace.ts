/** A set of namespaces held by one process; when that process ends, everything in them ends. */
import { spawn } from 'node:child_process';
import { openSync, closeSync } from 'node:fs';
import { BerthError } from '../kit/errors.ts';
import { nodeEnvironment } from './environment.ts';
import { childrenOf, identify, isAlive, namespaceLinks, processesInNamespaces, signalProcess } from './processes.ts';
import type { ProcessId } from './processes.ts';
import { waitFor } from './wait.ts';

export type NamespaceKind = 'mount' | 'net' | 'pid' | 'uts' | 'ipc';

export interface Namespaces {
  /** Process 1 inside, as this machine numbers it. */
  readonly init: ProcessId;
  readonly kinds: readonly NamespaceKind[];
}

export interface NamespaceOptions {
  /** Further output of the script goes here. */
  readonly logFile: string;
  /** `NAME=VALUE` in the first process's environment, by which it is found again. */
  readonly mark: readonly [name: string, value: string];
}

/**
 * Starts `script` (sh, with `args` as $1…) as process 1 of new namespaces. It must print `ready` when set up and then
 * `exec` what stays. Errors: INTERNAL that names the log.
 */
export async function createNamespaces(
  kinds: readonly NamespaceKind[],
  script: string,
  args: readonly string[],
  options: NamespaceOptions,
): Promise<Namespaces> {
  const log = openSync(options.logFile, 'a');
  const flags = [...kinds.map((kind) => `--${kind}`), '--fork'];
  if (kinds.includes('mount')) flags.push('--propagation', 'private');
  const child = spawn('unshare', [...flags, 'sh', '-c', script, 'sh', ...args], {
    detached: true,
    env: { ...nodeEnvironment, [options.mark[0]]: options.mark[1] },
    stdio: ['ignore', 'pipe', log],
  });
  closeSync(log);
  const output = child.stdout;
  if (output === null) throw new BerthError('INTERNAL', 'unshare was started without a pipe');
  await new Promise<void>((resolve, reject) => {
    output.on('data', (text: Buffer) => {
      if (text.toString().includes('ready')) resolve();
    });
    child.on('error', reject);
    child.on('exit', (code) => {
      reject(
        new BerthError(
          'INTERNAL',
          `namespaces could not be set up (exit ${code ?? 'by signal'}); see ${options.logFile}`,
        ),
      );
    });
  });
  output.destroy();
  child.removeAllListeners('exit').unref();
  const [pid] = childrenOf(child.pid ?? 0);
  const init = pid === undefined ? undefined : identify(pid);
  if (init === undefined)
    throw new BerthError('INTERNAL', `the namespaces' first process died; see ${options.logFile}`);
  return { init, kinds };
}

/** The nsenter arguments that put a program into the namespaces (some of them, if told). */
export function enterArguments(namespaces: Namespaces, kinds: readonly NamespaceKind[] = namespaces.kinds): string[] {
  return ['--target', String(namespaces.init.pid), ...kinds.map((kind) => `--${kind}`), '--'];
}

const graceMs = 1000;

/** Ends every process in the namespaces of `init` and waits until none is left; the kernel then takes links and mounts down. */
export async function destroyNamespaces(init: ProcessId): Promise<void> {
  const outside = new Set(namespaceLinks('self'));
  const links = namespaceLinks(init.pid).filter((link) => !outside.has(link));
  signalProcess(init, 'SIGKILL');
  const deadline = Date.now() + graceMs;
  await waitFor(
    'the killed processes of a node to end (one may hang in the kernel: see ps, state D)',
    () => {
      const left = processesInNamespaces(links);
      // Some are no children of process 1: nsenter and unshare, which end by themselves once they have reaped theirs, and
      // whatever else was started from outside into these namespaces.
      if (Date.now() > deadline) for (const process of left) signalProcess(process, 'SIGKILL');
      return left.length === 0 && !isAlive(init) ? true : undefined;
    },
    { timeoutMs: 30_000, intervalMs: 20 },
  );
}
