/** Waiting for a condition that nothing announces. */
import { setTimeout } from 'node:timers/promises';
import { BerthError } from '../kit/errors.ts';

export interface WaitOptions {
  readonly timeoutMs: number;
  /** Time between two looks. Default 50 ms. */
  readonly intervalMs?: number;
  readonly signal?: AbortSignal;
  /** Added to the message of a wait in vain: what the reader would look at next. */
  readonly describe?: () => string;
}

/**
 * Looks until `probe` gives a value other than undefined and returns it. An error of the probe ends the wait.
 * Errors: TIMED_OUT naming `what`, in the form "the API server to answer".
 */
export async function waitFor<Value>(
  what: string,
  probe: () => Value | undefined | Promise<Value | undefined>,
  options: WaitOptions,
): Promise<Value> {
  const deadline = Date.now() + options.timeoutMs;
  for (;;) {
    options.signal?.throwIfAborted();
    const value = await probe();
    if (value !== undefined) return value;
    if (Date.now() > deadline) {
      const seconds = Math.round(options.timeoutMs / 1000);
      const more = options.describe === undefined ? '' : `; ${options.describe()}`;
      throw new BerthError('TIMED_OUT', `waited ${seconds} s in vain for ${what}${more}`);
    }
    await setTimeout(options.intervalMs ?? 50);
  }
}
