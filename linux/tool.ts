/** Runs a program of the machine, such as mkfs: arguments as a list, no environment of the caller's, a time limit, output capped. */
import { execFile } from 'node:child_process';
import { BerthError } from '../kit/errors.ts';

/** Where Debian, Alpine and Fedora keep them; nothing of the caller's environment reaches the programs. */
const toolEnvironment = { PATH: '/usr/sbin:/sbin:/usr/bin:/bin', LC_ALL: 'C' };
/** mkfs of 100 GiB takes 50 ms; a disk that needs minutes is ill. */
const defaultTimeout = 120_000;

export interface ToolResult {
  readonly exitCode: number;
  /** The last lines it said, for an error message. */
  readonly said: string;
}

/**
 * Runs `[program, ...arguments]` and resolves with its exit code, whatever that is. Throws FAILED_PRECONDITION when the
 * program is not installed, IO_FAILED when a signal ended it (also the one at the end of `timeoutMs`).
 */
export function runTool(
  [program, ...args]: readonly [string, ...string[]],
  { timeoutMs = defaultTimeout }: { readonly timeoutMs?: number } = {},
): Promise<ToolResult> {
  const options = { env: toolEnvironment, timeout: timeoutMs, killSignal: 'SIGKILL', maxBuffer: 1024 * 1024 } as const;
  return new Promise((resolve, reject) => {
    execFile(program, args, options, (error, stdout, stderr) => {
      const said = `${stdout}${stderr}`.trim().split('\n').slice(-3).join(' / ').slice(0, 500);
      if (error === null) resolve({ exitCode: 0, said });
      else if (typeof error.code === 'number') resolve({ exitCode: error.code, said });
      else if (error.code === 'ENOENT') {
        const advice = 'install the package that has it (xfsprogs, e2fsprogs, btrfs-progs)';
        reject(new BerthError('FAILED_PRECONDITION', `${program} is not on this node; ${advice}`));
      } else {
        const why = said === '' ? error.message : said;
        reject(new BerthError('IO_FAILED', `${program} was ended: ${why}`, { cause: error }));
      }
    });
  });
}
