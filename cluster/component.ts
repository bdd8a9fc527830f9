/** One long-running program of a node: started into its namespaces, logging to a file, found again by any process. */
import { spawn } from 'node:child_process';
import { closeSync, existsSync, mkdirSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { BerthError } from '../kit/errors.ts';
import { enterArguments } from './namespace.ts';
import type { NamespaceKind, Namespaces } from './namespace.ts';
import { childrenOf, identify, isAlive, signalProcess } from './processes.ts';
import type { ProcessId } from './processes.ts';
import { waitFor } from './wait.ts';

export interface ComponentPlace {
  readonly namespaces: Namespaces;
  /** Which of them to enter; default all. */
  readonly kinds?: readonly NamespaceKind[];
  /** Folder for `NAME.log` and `NAME.pid`. */
  readonly logFolder: string;
}

export interface ComponentCommand {
  readonly name: string;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  /** Open file descriptors handed over from number 3 on. */
  readonly descriptors?: readonly number[];
}

const stopTimeoutMs = 10_000;

/** Starts a program; resolves when its process exists. */
export async function startComponent(place: ComponentPlace, command: ComponentCommand): Promise<void> {
  mkdirSync(place.logFolder, { recursive: true });
  const log = openSync(logPath(place.logFolder, command.name), 'a');
  const wrapper = spawn('nsenter', [...enterArguments(place.namespaces, place.kinds), ...command.args], {
    detached: true,
    env: command.env,
    stdio: ['ignore', log, log, ...(command.descriptors ?? [])],
  });
  closeSync(log);
  const failed = new Promise<never>((_, reject) => {
    wrapper.on('error', reject);
  });
  wrapper.unref();
  // nsenter forks, because only a child is in the new pid namespace; the child is the program.
  const process = await Promise.race([
    failed,
    waitFor(
      `${command.name} to start`,
      () => {
        const [pid] = childrenOf(wrapper.pid ?? 0);
        if (pid !== undefined) return identify(pid);
        if (wrapper.exitCode === null) return undefined;
        throw new BerthError('INTERNAL', describeDeath(place.logFolder, command.name));
      },
      { timeoutMs: 10_000, intervalMs: 5 },
    ),
  ]);
  writeFileSync(pidPath(place.logFolder, command.name), JSON.stringify(process));
}

/** The running process of a component, or undefined. */
export function componentProcess(logFolder: string, name: string): ProcessId | undefined {
  const path = pidPath(logFolder, name);
  if (!existsSync(path)) return undefined;
  const process = JSON.parse(readFileSync(path, 'utf8')) as ProcessId;
  return isAlive(process) ? process : undefined;
}

/** Sends a signal; with one that ends the process, waits until it is gone. Errors: NOT_FOUND if it does not run. */
export async function signalComponent(logFolder: string, name: string, signal: NodeJS.Signals): Promise<void> {
  const process = componentProcess(logFolder, name);
  if (process === undefined) throw new BerthError('NOT_FOUND', `${name} does not run; its log is in ${logFolder}`);
  signalProcess(process, signal);
  if (signal === 'SIGSTOP' || signal === 'SIGCONT' || signal === 'SIGHUP') return;
  await waitFor(`${name} to end after ${signal}`, () => (isAlive(process) ? undefined : true), {
    timeoutMs: 30_000,
    intervalMs: 10,
  });
}

/** Errors: UNAVAILABLE with the end of the log if one of the components has died. */
export function checkComponents(logFolder: string, names: readonly string[]): void {
  for (const name of names) {
    if (componentProcess(logFolder, name) === undefined) {
      throw new BerthError('UNAVAILABLE', describeDeath(logFolder, name));
    }
  }
}

/** Ends a component as an init system does: SIGTERM, and SIGKILL for one that takes too long (an API server drains for 60 s). */
export async function stopComponent(logFolder: string, name: string): Promise<void> {
  const process = componentProcess(logFolder, name);
  if (!signalProcess(process, 'SIGTERM')) return;
  const killAt = Date.now() + stopTimeoutMs;
  await waitFor(
    `${name} to end`,
    () => {
      if (!isAlive(process)) return true;
      if (Date.now() > killAt) signalProcess(process, 'SIGKILL');
      return undefined;
    },
    { timeoutMs: 30_000, intervalMs: 10 },
  );
}

/** Forgets components that went with their namespaces, so that they do not count as died. */
export function forgetComponents(logFolder: string, names: readonly string[]): void {
  for (const name of names) rmSync(pidPath(logFolder, name), { force: true });
}

export function readLog(logFolder: string, name: string): string {
  const path = logPath(logFolder, name);
  return existsSync(path) ? readFileSync(path, 'utf8') : '';
}

function describeDeath(logFolder: string, name: string): string {
  return `${name} ended early; ${logTail(readLog(logFolder, name))}`;
}

/** The last lines of a log, for an error message. The file itself goes with a failed cluster. */
export function logTail(log: string): string {
  return `its log ends with:\n${log.trimEnd().split('\n').slice(-10).join('\n')}`;
}

function logPath(logFolder: string, name: string): string {
  return join(logFolder, `${name}.log`);
}

function pidPath(logFolder: string, name: string): string {
  return join(logFolder, `${name}.pid`);
}
