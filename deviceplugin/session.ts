/**
 * The session of one resource with the kubelet, for as long as the agent runs:
 * idle → serving → registering → waiting (for the stream) → streaming → lost → idle …
 *
 * The kubelet opens ListAndWatch once per registration and never again, and at its start it removes every socket. So a
 * session is lost when the stream ends, when `kubelet.sock` is another one, or when our socket is gone, and the only cure
 * is a new generation: a new socket name, served, checked and registered. The old server is stopped first, for a
 * kubelet up to 1.35 lets the end of an old stream tear down the new registration.
 */
import { createHash } from 'node:crypto';
import { basename, join } from 'node:path';
import { status } from '@grpc/grpc-js';
import { defaultBackoff, delayOf, pause } from '../kit/backoff.ts';
import { watchDirectory } from '../kit/directorywatch.ts';
import { BerthError, messageOf } from '../kit/errors.ts';
import type { KeyedLock } from '../kit/keyedlock.ts';
import type { Logger } from '../kit/log.ts';
import { kubeletSocket, registerDevicePlugin } from '../kubelet/registration.ts';
import { identityOf } from '../kubelet/socketidentity.ts';
import { dial } from '../protos/dial.ts';
import { answers, serve } from '../protos/serve.ts';
import type { GrpcServer } from '../protos/serve.ts';
import type { Latest } from './latest.ts';
import type { ResourceState } from './matching.ts';
import type { DeviceMetrics, SessionState } from './metrics.ts';
import { devicePlugin } from './plugin.ts';

export interface SessionOptions {
  /** The resource's newest state; its name never changes. */
  readonly latest: Latest<ResourceState>;
  /** The kubelet's directory of device plugin sockets; it may be absent for a while. */
  readonly directory: string;
  /** Shared by all sessions: one registration at a time keeps the kubelet's load low. */
  readonly registrations: KeyedLock;
  readonly log: Logger;
  readonly metrics: DeviceMetrics;
}

export interface Session {
  /** Undefined while the kubelet watches, else why not. */
  notReady(): string | undefined;
  /** Ends the session and removes its socket; calls in flight may finish until `deadline`. Never throws. */
  stop(deadline: AbortSignal): Promise<void>;
}

/** Sockets of device plugins are ours by this prefix. */
export const socketPrefix = 'berth-';

/** The kubelet opens the stream at once after it has answered Register. */
const streamTimeoutMs = 5_000;
/** A session that lived this long was a good one: the next begins without a delay. */
const goodMs = 10_000;

/** A name nobody has used before, also not an agent before this one: 28 bytes. */
let generation = 0;
function nextSocket(resource: string): string {
  generation = Math.max(generation + 1, Date.now());
  const hash = createHash('sha256').update(resource).digest('hex').slice(0, 8);
  return `${socketPrefix}${hash}-${generation.toString(36)}.sock`;
}

/** Starts the session; it runs until `stop`. */
export function startSession(options: SessionOptions): Session {
  const { latest, directory, metrics } = options;
  const resource = latest.value.name;
  const log = options.log.child({ resource });
  const kubelet = join(directory, kubeletSocket);
  const end = new AbortController();
  let deadline: AbortSignal | undefined;
  let state: SessionState = 'lost';
  let reason = 'not started';

  const enter = (next: SessionState, why: string): void => {
    state = next;
    reason = why;
    metrics.session(resource, next);
  };

  /** Until something answers on kubelet.sock. False when the session ends before. */
  const kubeletThere = async (): Promise<boolean> => {
    const over = new AbortController();
    const signal = AbortSignal.any([end.signal, over.signal]);
    return await new Promise((resolve) => {
      signal.addEventListener('abort', () => {
        resolve(!end.signal.aborted);
      });
      if (end.signal.aborted) resolve(false);
      const look = async (): Promise<void> => {
        if (await answers(kubelet)) over.abort();
        else if (!signal.aborted && state !== 'idle') enter('idle', `nobody answers on ${kubelet}`);
      };
      watchDirectory(directory, look, { signal });
    });
  };

  /** One generation, from its socket to its loss; says when it begins to stream. Always throws: why it was lost. */
  const live = async (lost: AbortController, streamed: (since: number) => void): Promise<void> => {
    const over = AbortSignal.any([end.signal, lost.signal]);
    const lose = (why: string): void => {
      lost.abort(new BerthError('UNAVAILABLE', why));
    };
    const kubeletIdentity = await identityOf(kubelet);
    const opened = Promise.withResolvers<undefined>();
    let streams = 0;
    const onStream = (ended: AbortSignal): void => {
      streams++;
      opened.resolve(undefined);
      ended.addEventListener('abort', () => {
        if (--streams === 0) lose('the kubelet ended ListAndWatch');
      });
    };

    enter('serving', 'the socket is being made');
    const path = join(directory, nextSocket(resource));
    const server: GrpcServer = await serve({
      path,
      services: { 'v1beta1.DevicePlugin': devicePlugin(latest, onStream) },
      log,
      onCall: ({ method, code, seconds }) => {
        if (method === 'Allocate') metrics.allocated(resource, code === status.OK ? 'ok' : 'failed', seconds);
      },
    });
    try {
      const look = async (): Promise<void> => {
        if ((await identityOf(kubelet)) !== kubeletIdentity)
          lose('kubelet.sock is a new one or gone: the kubelet restarted');
        else if (!(await server.lives())) lose(`${path} was removed`);
      };
      watchDirectory(directory, look, { signal: over });
      await checkSelf(path, over);

      enter('registering', 'the kubelet is being asked');
      await options.registrations.run('register', async () => {
        over.throwIfAborted();
        await registerDevicePlugin(kubelet, { endpoint: basename(path), resource }, over);
      });

      enter('waiting', 'the kubelet has accepted the registration and has not called ListAndWatch yet');
      const timer = setTimeout(
        lose,
        streamTimeoutMs,
        `the kubelet registered ${resource} and never called ListAndWatch`,
      );
      const ended = new Promise<never>((_resolve, reject) => {
        over.addEventListener('abort', () => {
          reject(over.reason as Error);
        });
        if (over.aborted) reject(over.reason as Error);
      });
      await Promise.race([opened.promise, ended]).finally(() => {
        clearTimeout(timer);
      });
      metrics.registered(resource, 'ok');
      enter('streaming', '');
      streamed(performance.now());
      log.info(
        { event: 'device.registered', socket: basename(path), devices: latest.value.units.size },
        'registered with the kubelet',
      );
      await ended;
    } finally {
      await server.stop(deadline);
    }
  };

  const run = async (): Promise<void> => {
    let attempt = 0;
    let complained = '';
    while (await pause(delayOf(defaultBackoff, attempt), end.signal)) {
      if (!(await kubeletThere())) break;
      const lost = new AbortController();
      let since: number | undefined;
      try {
        await live(lost, (now) => {
          since = now;
          complained = '';
        });
      } catch (thrown) {
        if (end.signal.aborted) break;
        // What was lost says more than what then failed because of it.
        const why = messageOf(lost.signal.aborted ? lost.signal.reason : thrown);
        if (since === undefined) metrics.registered(resource, 'failed');
        if (why !== complained) {
          if (since === undefined)
            log.warn({ event: 'device.registration_failed', reason: why }, 'registration failed');
          else log.warn({ event: 'device.session_lost', reason: why }, 'kubelet session lost');
        }
        complained = why;
        enter('lost', why);
      } finally {
        // Ends what still watches for this generation.
        lost.abort();
      }
      attempt = since !== undefined && performance.now() - since >= goodMs ? 0 : attempt + 1;
    }
    enter('stopped', 'the agent is stopping');
  };

  const running = run();
  return {
    notReady: () => (state === 'streaming' ? undefined : `${resource} is not registered with the kubelet: ${reason}`),
    stop: async (until) => {
      // Calls in flight take milliseconds; a frozen kubelet is not waited for longer than this.
      deadline = AbortSignal.any([until, AbortSignal.timeout(1_000)]);
      end.abort(new BerthError('UNAVAILABLE', 'the agent is stopping'));
      await running;
    },
  };
}

/** Calls our own server as the kubelet will: a registration of a server that does not answer takes the kubelet 10 s. */
async function checkSelf(path: string, signal: AbortSignal): Promise<void> {
  const self = dial('v1beta1.DevicePlugin', path, { timeoutMs: 2_000 });
  try {
    await self.GetDevicePluginOptions({}, { signal });
  } finally {
    self.close();
  }
}
