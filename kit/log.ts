/** The log: one JSON object a line (pino). Rooms receive a child logger; nothing else in Berth writes logs. */
import { pino } from 'pino';
import type { DestinationStream, Logger, LoggerOptions } from 'pino';
import { escapeUnsafe } from './quote.ts';

export type { Logger } from 'pino';
export type LogLevel = 'debug' | 'info' | 'warn' | 'error';

/** Keys whose values are never written, at any depth that gRPC requests of the three plugins have. */
const secretKeys = ['secrets', 'volume_context["csi.storage.k8s.io/serviceAccount.tokens"]'];

/**
 * A logger that writes to `destination` (default: standard error), with the time as ISO 8601 and level names as words. A level that
 * may change is a function, which is asked at every line: a child keeps the level that its parent had when it was made.
 */
export function createLogger(level: LogLevel | (() => LogLevel), destination?: DestinationStream): Logger {
  const options: LoggerOptions = {
    level: typeof level === 'string' ? level : 'debug',
    base: null,
    timestamp: () => `,"time":"${new Date().toISOString()}"`,
    formatters: { level: (label: string) => ({ level: label }) },
    // Names of files and errors of programs hold what anybody put there, and somebody reads this on a terminal.
    hooks: { streamWrite: escapeUnsafe, ...(typeof level === 'string' ? {} : { logMethod: onlyFrom(level) }) },
    redact: { paths: secretKeys.flatMap((key) => [key, `*.${key}`]), censor: '[secret]' },
  };
  return pino(options, destination ?? pino.destination({ fd: 2, sync: true }));
}

function onlyFrom(lowest: () => LogLevel): NonNullable<NonNullable<LoggerOptions['hooks']>['logMethod']> {
  return function (args, write, level) {
    if (level >= (pino.levels.values[lowest()] ?? 0)) write.apply(this, args);
  };
}
