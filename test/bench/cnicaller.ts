/** Executes CNI plugins as libcni does: a list of them one after another, each with the result of the one before. */
import { spawn, spawnSync } from 'node:child_process';
import { dirname } from 'node:path';

/** One plugin of a list: its program and its own configuration. */
export interface ListedPlugin {
  readonly path: string;
  readonly config: object;
}

function environment(command: string, path: string, pod: string): NodeJS.ProcessEnv {
  return {
    CNI_COMMAND: command,
    CNI_CONTAINERID: `bench-${pod}`,
    CNI_NETNS: `/run/netns/${pod}`,
    CNI_IFNAME: 'eth0',
    CNI_PATH: dirname(path),
    // The peers look for nft and iptables there.
    PATH: '/usr/sbin:/usr/bin:/sbin:/bin',
  };
}

function inputOf(config: object, prevResult: unknown): string {
  const result = prevResult === undefined ? {} : { prevResult };
  return JSON.stringify({ cniVersion: '1.0.0', name: 'bench', ...config, ...result });
}

export interface CallOptions {
  /** What the plugins are executed by: `['ip', 'netns', 'exec', NODE]`. */
  readonly within?: readonly [string, ...string[]];
}

/** Calls a list for the pod in the network namespace `pod`. Returns milliseconds; throws what a plugin says when it fails. */
export function call(command: string, list: readonly ListedPlugin[], pod: string, options: CallOptions = {}): number {
  const began = performance.now();
  let previous: unknown;
  for (const { path, config } of order(command, list)) {
    const env = environment(command, path, pod);
    const [program, ...args]: readonly [string, ...string[]] =
      options.within === undefined ? [path] : [...options.within, path];
    const { status, stdout } = spawnSync(program, args, { env, input: inputOf(config, previous), encoding: 'utf8' });
    if (status !== 0) throw failure(path, command, status, stdout);
    if (command === 'ADD') previous = JSON.parse(stdout) as unknown;
  }
  return performance.now() - began;
}

/** The same without blocking, for calls at once. */
export async function callAsync(command: string, list: readonly ListedPlugin[], pod: string): Promise<number> {
  const began = performance.now();
  let previous: unknown;
  for (const { path, config } of order(command, list)) {
    const stdout = await execute(path, command, environment(command, path, pod), inputOf(config, previous));
    if (command === 'ADD') previous = JSON.parse(stdout) as unknown;
  }
  return performance.now() - began;
}

/** DEL goes backwards. */
function order(command: string, list: readonly ListedPlugin[]): readonly ListedPlugin[] {
  return command === 'DEL' ? list.toReversed() : list;
}

function execute(path: string, command: string, env: NodeJS.ProcessEnv, input: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn(path, { env, stdio: ['pipe', 'pipe', 'inherit'] });
    let stdout = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text));
    child.on('error', reject);
    child.on('close', (status) => {
      if (status === 0) resolve(stdout);
      else reject(failure(path, command, status, stdout));
    });
    child.stdin.end(input);
  });
}

function failure(path: string, command: string, status: number | null, stdout: string): Error {
  return new Error(`${path} ${command} failed with ${status ?? 'a signal'}: ${stdout.trim()}`);
}
