/**
 * The wait before a session's next attempt: the longer the more have failed, but only with one and the same kubelet. One that
 * has just started refused nothing yet, and pods wait for it, so it is approached at once however often those before it ended.
 */
import { pause } from '../../kit/backoff.ts';
import { watchDirectory } from '../../kit/directorywatch.ts';

export interface KubeletSign {
  /** The folder in which a start of the kubelet shows. */
  readonly directory: string;
  /** What is another after each start of the kubelet; undefined while there is no sign of one. */
  read(): Promise<string | undefined>;
}

/** Waits `ms`, or until the kubelet is another than `last`: `restarted`. Or until the signal fires: `ended`. Never throws. */
export async function nextAttempt(
  ms: number,
  last: string | undefined,
  sign: KubeletSign,
  signal: AbortSignal,
): Promise<'waited' | 'restarted' | 'ended'> {
  const restarted = new AbortController();
  const over = new AbortController();
  const look = async (): Promise<void> => {
    const now = await sign.read();
    if (now !== undefined && last !== undefined && now !== last) restarted.abort();
  };
  if (ms > 0) watchDirectory(sign.directory, look, { signal: AbortSignal.any([signal, over.signal]) });
  const waited = await pause(ms, AbortSignal.any([signal, restarted.signal]));
  over.abort();
  if (waited) return 'waited';
  return signal.aborted ? 'ended' : 'restarted';
}
