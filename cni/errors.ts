/** Errors with a code of the CNI specification, and the one place where other errors get theirs. */
import { BerthError, errnoOf, messageOf } from '../kit/errors.ts';
import type { ErrorCode } from '../kit/errors.ts';
import { RouteError } from '../linux/rtnetlink/rtnetlink.ts';
import { cniCode } from './protocol.ts';

/** An error whose CNI code was decided where it arose: what the request itself gets wrong. */
export class CniError extends Error {
  readonly cniCode: number;

  constructor(code: number, message: string, options?: { readonly cause?: unknown }) {
    super(message, options);
    this.name = 'CniError';
    this.cniCode = code;
  }
}

const codes: Partial<Record<ErrorCode, number>> = {
  CONFIG_INVALID: cniCode.invalidNetworkConfig,
  INVALID_ARGUMENT: cniCode.invalidEnvironment,
  RESOURCE_EXHAUSTED: cniCode.tryAgainLater,
  BUSY: cniCode.tryAgainLater,
  UNAVAILABLE: cniCode.tryAgainLater,
  TIMED_OUT: cniCode.tryAgainLater,
  IO_FAILED: cniCode.ioFailure,
};

// What the kernel refuses for want of something that comes back.
const passing = new Set(['EAGAIN', 'EBUSY', 'ENOBUFS', 'ENOMEM', 'EINTR']);

function codeOf(thrown: unknown): number {
  if (thrown instanceof CniError) return thrown.cniCode;
  if (thrown instanceof BerthError) return codes[thrown.code] ?? cniCode.internal;
  if (thrown instanceof RouteError) return passing.has(thrown.code) ? cniCode.tryAgainLater : cniCode.internal;
  const errno = errnoOf(thrown);
  if (errno === undefined) return cniCode.internal;
  return passing.has(errno) ? cniCode.tryAgainLater : cniCode.ioFailure;
}

/** Anything that was thrown, as code, message and details of a CNI error (specification, section "Error"). */
export function toCniError(thrown: unknown): {
  readonly code: number;
  readonly message: string;
  readonly details: string;
} {
  const cause = thrown instanceof Error ? thrown.cause : undefined;
  return { code: codeOf(thrown), message: messageOf(thrown), details: cause === undefined ? '' : messageOf(cause) };
}
