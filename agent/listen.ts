/** Listening on a TCP port that another program may have now: nothing of a pod depends on it, so it is reported and tried again. */
import type { Server } from 'node:net';
import { delayOf, pause } from '../kit/backoff.ts';
import type { BackoffSchedule } from '../kit/backoff.ts';
import { errnoOf, messageOf } from '../kit/errors.ts';
import type { Logger } from '../kit/log.ts';

const listenBackoff: BackoffSchedule = [1_000, 2_000, 5_000, 10_000];

/** Where to listen, and the key of the NodeConfig by which another port is chosen. */
export interface ListenAt {
  readonly host: string;
  readonly port: number;
  readonly setting: string;
}

export interface ListenOptions {
  readonly log: Logger;
  readonly schedule?: BackoffSchedule | undefined;
  readonly signal: AbortSignal;
}

/** Resolves to true once the server listens, to false when `signal` fired before; never throws. */
export async function listenUntilItDoes(
  server: Server,
  { host, port, setting }: ListenAt,
  { log, schedule = listenBackoff, signal }: ListenOptions,
): Promise<boolean> {
  for (let attempt = 0; !signal.aborted; attempt += 1) {
    try {
      await new Promise<void>((resolve, reject) => {
        server.once('error', reject);
        server.listen({ host, port, exclusive: true }, () => {
          server.off('error', reject);
          resolve();
        });
      });
      return true;
    } catch (error) {
      const wait = delayOf(schedule, attempt);
      const reason = reasonOf(error, { host, port, setting });
      log.error({ event: 'endpoint.listen_failed', port, retryMs: wait }, reason);
      await pause(wait, signal);
    }
  }
  return false;
}

function reasonOf(error: unknown, { host, port, setting }: ListenAt): string {
  if (errnoOf(error) === 'EADDRINUSE')
    return `port ${port} on ${host} is in use by another program; set ${setting} to a free one`;
  if (errnoOf(error) === 'EADDRNOTAVAIL')
    return `${host} is no address of this node; ${setting} cannot be served there`;
  return messageOf(error);
}
