/** Running one program to its end and reading what it printed. */
import { spawn } from 'node:child_process';
import { BerthError } from '../kit/errors.ts';

/** What a finished program left; `code` is 128 + signal number when a signal ended it (as a shell reports it). */
export interface CommandResult {
  readonly stdout: string;
  readonly stderr: string;
  readonly code: number;
}

export interface CommandOptions {
  readonly stdin?: string;
  readonly env?: Readonly<Record<string, string | undefined>>;
  readonly cwd?: string;
  /** Kills the program when aborted. */
  readonly signal?: AbortSignal;
}

/** Runs a program and resolves when it ends, whatever its exit code. Rejects only if it cannot be started. */
export function run(file: string, args: readonly string[], options: CommandOptions = {}): Promise<CommandResult> {
  return new Promise((resolve, reject) => {
    const child = spawn(file, args, {
      stdio: ['pipe', 'pipe', 'pipe'],
      ...(options.env === undefined ? {} : { env: options.env }),
      ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
      ...(options.signal === undefined ? {} : { signal: options.signal }),
    });
    let stdout = '';
    let stderr = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text));
    child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
    child.on('error', (cause) => {
      reject(new BerthError('FAILED_PRECONDITION', `${file} could not be started: ${cause.message}`, { cause }));
    });
    child.on('close', (code, signal) => {
      resolve({ stdout, stderr, code: code ?? (signal === 'SIGKILL' ? 137 : 143) });
    });
    // A program that does not read its input closes the pipe early; that is its right.
    child.stdin.on('error', () => undefined);
    child.stdin.end(options.stdin ?? '');
  });
}

/** Runs a program that must succeed and returns its stdout. Errors: INTERNAL with the command and what it printed. */
export async function runChecked(file: string, args: readonly string[], options: CommandOptions = {}): Promise<string> {
  const result = await run(file, args, options);
  if (result.code === 0) return result.stdout;
  const said = (result.stderr.trim() || result.stdout.trim()).split('\n').slice(-5).join(' · ');
  throw new BerthError('INTERNAL', `${[file, ...args].join(' ').slice(0, 300)} failed with ${result.code}: ${said}`);
}
