/** Typed errors: one closed catalogue of codes; edges map a code once to a gRPC status, a CNI code or an exit code. */

/**
 * Every code an operation of Berth can fail with. `docs/errors.md` explains each; a test holds the two equal.
 * `retry` says whether the same call can succeed later without anybody changing the request.
 */
export const errorCodes = {
  CONFIG_INVALID: { retry: false },
  INVALID_ARGUMENT: { retry: false },
  UNSUPPORTED: { retry: false },
  NOT_FOUND: { retry: false },
  ALREADY_EXISTS: { retry: false },
  FAILED_PRECONDITION: { retry: false },
  OUT_OF_RANGE: { retry: false },
  RESOURCE_EXHAUSTED: { retry: true },
  BUSY: { retry: true },
  UNAVAILABLE: { retry: true },
  TIMED_OUT: { retry: true },
  IO_FAILED: { retry: true },
  INTERNAL: { retry: false },
} as const satisfies Record<string, { readonly retry: boolean }>;

export type ErrorCode = keyof typeof errorCodes;

/** An error for the person who has to act: the message names what failed, on what, how much, and what to do. */
export class BerthError extends Error {
  readonly code: ErrorCode;

  constructor(code: ErrorCode, message: string, options?: { readonly cause?: unknown }) {
    super(message, options);
    this.name = 'BerthError';
    this.code = code;
  }
}

/** The message of anything that was thrown, without a stack. */
export function messageOf(thrown: unknown): string {
  return thrown instanceof Error ? thrown.message : String(thrown);
}

/** Anything that was thrown as a BerthError; what is not one yet is INTERNAL with the original as cause. */
export function asBerthError(thrown: unknown): BerthError {
  return thrown instanceof BerthError ? thrown : new BerthError('INTERNAL', messageOf(thrown), { cause: thrown });
}

/** The errno name (`ENOENT`, …) of a failed system call or Node file operation, or undefined. */
export function errnoOf(thrown: unknown): string | undefined {
  if (!(thrown instanceof Error) || !('code' in thrown)) return undefined;
  return typeof thrown.code === 'string' && /^E[A-Z0-9]+$/.test(thrown.code) ? thrown.code : undefined;
}
