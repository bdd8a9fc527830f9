/** Runs a tool of the filesystems, such as mkfs or fsck, and says what to do where it is missing. */
import { BerthError, errnoOf } from '../kit/errors.ts';
import { runProgram } from './program.ts';

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
export async function runTool(
  [program, ...args]: readonly [string, ...string[]],
  { timeoutMs = defaultTimeout }: { readonly timeoutMs?: number } = {},
): Promise<ToolResult> {
  const { code, signal, output } = await runProgram(program, args, { timeoutMs }).catch((error: unknown) => {
    if (errnoOf(error) !== 'ENOENT') throw error;
    const advice = 'install the package that has it (xfsprogs, e2fsprogs, btrfs-progs)';
    throw new BerthError('FAILED_PRECONDITION', `${program} is not on this node; ${advice}`, { cause: error });
  });
  const said = output.trim().split('\n').slice(-3).join(' / ').slice(0, 500);
  if (code !== undefined) return { exitCode: code, said };
  throw new BerthError('IO_FAILED', `${program} was ended by signal ${signal ?? 0}${said === '' ? '' : `: ${said}`}`);
}
