/** The one map between Berth's error codes and gRPC status codes, both ways. */
import { status } from '@grpc/grpc-js';
import type { ServiceError } from '@grpc/grpc-js';
import type { BerthError, ErrorCode } from '../kit/errors.ts';

/** What a failed call answers. */
export interface FailureStatus {
  readonly code: status;
  readonly details: string;
}

const codes: { readonly [C in ErrorCode]: status } = {
  CONFIG_INVALID: status.FAILED_PRECONDITION,
  INVALID_ARGUMENT: status.INVALID_ARGUMENT,
  UNSUPPORTED: status.UNIMPLEMENTED,
  NOT_FOUND: status.NOT_FOUND,
  ALREADY_EXISTS: status.ALREADY_EXISTS,
  FAILED_PRECONDITION: status.FAILED_PRECONDITION,
  OUT_OF_RANGE: status.OUT_OF_RANGE,
  RESOURCE_EXHAUSTED: status.RESOURCE_EXHAUSTED,
  BUSY: status.ABORTED,
  UNAVAILABLE: status.UNAVAILABLE,
  TIMED_OUT: status.DEADLINE_EXCEEDED,
  IO_FAILED: status.INTERNAL,
  INTERNAL: status.INTERNAL,
};

/** The default mapping: the code's obvious status and the error's own sentence. A room may supply its own to `serve`. */
export function statusOf(error: BerthError): FailureStatus {
  return { code: codes[error.code], details: error.message };
}

const codeOfStatus = new Map<status, ErrorCode>([
  ...Object.entries(codes).map(([code, value]): [status, ErrorCode] => [value, code as ErrorCode]),
  [status.FAILED_PRECONDITION, 'FAILED_PRECONDITION'],
  [status.CANCELLED, 'UNAVAILABLE'],
  [status.UNKNOWN, 'INTERNAL'],
]);

/** The code for a call of ours that another program failed. */
export function codeOf(error: ServiceError): ErrorCode {
  return codeOfStatus.get(error.code) ?? 'INTERNAL';
}
