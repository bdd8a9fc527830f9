/** Watches that nothing holds the event loop: every pod of the node waits for it. */
import type { Logger } from '../kit/log.ts';

const everyMs = 1_000;
const tooLateMs = 500;

/** Logs when the loop came late by more than half a second. Does not keep the process alive. Returns what ends it. */
export function watchEventLoop(log: Logger, now: () => number = performance.now.bind(performance)): () => void {
  let expected = now() + everyMs;
  const timer = setInterval(() => {
    const late = Math.round(now() - expected);
    if (late > tooLateMs) log.warn({ event: 'eventloop.late', ms: late }, 'the event loop was held up');
    expected = now() + everyMs;
  }, everyMs);
  timer.unref();
  return () => {
    clearInterval(timer);
  };
}
