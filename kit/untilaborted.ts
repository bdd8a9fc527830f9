/** Waiting for the end that somebody else decides. */

/** Rejects with the signal's reason when it fires, or at once when it has. Whoever races it need not look at it again. */
export function untilAborted(signal: AbortSignal): Promise<never> {
  const { promise, reject } = Promise.withResolvers<never>();
  const end = (): void => {
    reject(signal.reason as Error);
  };
  if (signal.aborted) end();
  else signal.addEventListener('abort', end, { once: true });
  // Nobody may be waiting any more when it fires.
  promise.catch(() => undefined);
  return promise;
}
