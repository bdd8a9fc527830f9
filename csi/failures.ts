/** Turns what the kernel said into a typed error with the volume's name and without paths of the host. */
import { BerthError, errnoOf, messageOf } from '../kit/errors.ts';
import type { ErrorCode } from '../kit/errors.ts';

const codes: Readonly<Record<string, ErrorCode>> = {
  ENOSPC: 'RESOURCE_EXHAUSTED',
  EDQUOT: 'RESOURCE_EXHAUSTED',
  EFBIG: 'OUT_OF_RANGE',
  EBUSY: 'BUSY',
  EROFS: 'FAILED_PRECONDITION',
  EPERM: 'FAILED_PRECONDITION',
  EACCES: 'FAILED_PRECONDITION',
  ENOTSUP: 'FAILED_PRECONDITION',
  EOPNOTSUPP: 'FAILED_PRECONDITION',
};

const advices: Readonly<Record<string, string>> = {
  EBUSY: 'something still uses it',
  ENOSPC: "the pool's disk is full; delete volumes or enlarge it",
  EROFS: "the pool's filesystem is read-only; see the kernel log of the node for the reason, then remount it writable",
};

/** `what` begins the sentence: `staging volume v1-…`. Errors that are typed already stay as they are. */
export function failureOf(thrown: unknown, what: string): BerthError {
  if (thrown instanceof BerthError) return thrown;
  const errno = errnoOf(thrown);
  if (errno === undefined) return new BerthError('INTERNAL', `${what}: ${messageOf(thrown)}`, { cause: thrown });
  const call = thrown instanceof Error && 'syscall' in thrown ? String(thrown.syscall) : 'a system call';
  const advice = advices[errno] ?? 'see the agent and kernel log of the node';
  return new BerthError(codes[errno] ?? 'IO_FAILED', `${what}: ${call} failed with ${errno}; ${advice}`, {
    cause: thrown,
  });
}
