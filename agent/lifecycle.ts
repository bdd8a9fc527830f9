/** What ends the process: signals (finish, then exit 0; a second one at once) and errors nobody caught (exit 1). */
import { constants } from 'node:os';
import type { Logger } from '../kit/log.ts';

type Signal = 'SIGTERM' | 'SIGINT';

/** Installs the handlers. `stop` resolves to false when something did not end in time; then the exit code is 1. */
export function exitOnSignals(log: Logger, stop: () => Promise<boolean>): void {
  let stopping = false;
  const onSignal = (signal: Signal): void => {
    if (stopping) {
      log.warn({ event: 'agent.exit_at_once', signal }, 'told to stop a second time: exiting without waiting');
      process.exit(128 + constants.signals[signal]);
    }
    stopping = true;
    log.info({ event: 'agent.stopping', signal }, 'stopping: finishing what is in flight');
    void stop().then((inTime) => {
      log.info({ event: 'agent.stopped', inTime }, 'stopped');
      process.exit(inTime ? 0 : 1);
    });
  };
  process.on('SIGTERM', onSignal);
  process.on('SIGINT', onSignal);
}

/** An error that nobody caught leaves a state that nobody thought of: say so and let Kubernetes start us anew. */
export function exitOnUncaught(log: Logger): void {
  const fatal = (event: string) => (error: unknown) => {
    log.fatal({ event, err: error }, 'an error was not caught: exiting');
    process.exit(1);
  };
  process.on('uncaughtException', fatal('agent.uncaught_exception'));
  process.on('unhandledRejection', fatal('agent.unhandled_rejection'));
}
