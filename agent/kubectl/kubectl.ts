/** The user's own kubectl: every access to the cluster goes through it, so that contexts, credentials and rights are the user's. */
import { spawn } from 'node:child_process';
import { BerthError, errnoOf, messageOf } from '../../kit/errors.ts';

/** What kubectl left when it ended. */
export interface Ran {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface RunLimits {
  /** Milliseconds; kubectl has none of its own for `exec`. */
  readonly ms?: number;
  /** Bytes of its output. */
  readonly bytes?: number;
  /** Cut what is more, instead of failing. */
  readonly cut?: boolean;
}

/** Runs kubectl with these arguments. Throws UNAVAILABLE when there is none; TIMED_OUT, OUT_OF_RANGE past a limit. */
export type Kubectl = (args: readonly string[], limits?: RunLimits) => Promise<Ran>;

const usualMs = 30_000;
const usualBytes = 256 * 2 ** 20;

/** `flags` come first in every call; `program` is a name on PATH, or a path. */
export function kubectlOf(program: string, flags: readonly string[]): Kubectl {
  return async (args, { ms = usualMs, bytes = usualBytes, cut = false } = {}) =>
    await new Promise<Ran>((resolve, reject) => {
      const child = spawn(program, [...flags, ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
      const out: Buffer[] = [];
      const said: Buffer[] = [];
      let size = 0;
      let refusal: BerthError | undefined;
      let full = false;
      const end = (error?: BerthError): void => {
        refusal ??= error;
        child.kill('SIGKILL');
      };
      const timer = setTimeout(() => {
        end(new BerthError('TIMED_OUT', `kubectl ${namesOf(args)} took longer than ${ms / 1_000} s`));
      }, ms);
      child.stdout.on('data', (chunk: Buffer) => {
        out.push(chunk);
        size += chunk.length;
        if (size <= bytes || full) return;
        full = true;
        const large = `kubectl ${namesOf(args)} tells more than ${bytes} bytes`;
        end(cut ? undefined : new BerthError('OUT_OF_RANGE', large));
      });
      // What is said in sentences is short; the rest is read and dropped.
      child.stderr.on('data', (chunk: Buffer) => said.length < 64 && said.push(chunk));
      child.on('error', (cause) => {
        clearTimeout(timer);
        const why =
          errnoOf(cause) === 'ENOENT'
            ? `there is no ${program} on PATH; install kubectl, or name one with KUBECTL`
            : `${program} cannot be started: ${messageOf(cause)}`;
        reject(new BerthError('UNAVAILABLE', why, { cause }));
      });
      child.on('close', (code) => {
        clearTimeout(timer);
        if (refusal !== undefined) {
          reject(refusal);
          return;
        }
        const stdout = Buffer.concat(out).subarray(0, bytes).toString();
        resolve({ code: full ? 0 : (code ?? 1), stdout, stderr: Buffer.concat(said).toString() });
      });
    });
}

/** The words of a call without its flags, for a sentence. */
function namesOf(args: readonly string[]): string {
  return args
    .filter((arg) => !arg.startsWith('-'))
    .slice(0, 3)
    .join(' ');
}

/** Whether this can be the name of an object, and so can be neither a flag nor a path. */
export function isObjectName(text: string): boolean {
  return text.length <= 253 && /^[a-z0-9]([-a-z0-9._:]*[a-z0-9])?$/i.test(text);
}
