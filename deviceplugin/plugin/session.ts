/**
 * The session of one resource with the kubelet, for as long as the resource is configured:
 * idle → serving → registering → waiting (for the stream) → streaming → lost → idle …
 *
 * The kubelet opens ListAndWatch once per registration and never again, and at its start it removes every socket. So a
 * session is lost when the stream ends, when `kubelet.sock` is another one, or when our socket is gone, and the only cure
 * is a new generation: a new socket name, served, checked and registered. The old server is stopped first, for a
 * kubelet up to 1.35 lets the end of an old stream tear down the new registration.
 */
import { basename, join } from 'node:path';
import { status } from '@grpc/grpc-js';
import { defaultBackoff, delayOf } from '../../kit/backoff.ts';
import type { BackoffSchedule } from '../../kit/backoff.ts';
import { watchDirectory } from '../../kit/directorywatch.ts';
import { BerthError, messageOf } from '../../kit/errors.ts';
import type { Latest } from '../../kit/latest.ts';
import type { Logger } from '../../kit/log.ts';
import { untilAborted } from '../../kit/untilaborted.ts';
import type { FinishedCall } from '../../protos/handlers.ts';
import { assertSocketPath, serve } from '../../protos/serve.ts';
import type { DeviceMetrics, SessionState } from '../metrics.ts';
import type { ResourceState } from '../units/unit.ts';
import type { Approach, Attempt } from './approach.ts';
import { noDevices } from './devicelist.ts';
import type { DeviceList } from './devicelist.ts';
import { nextAttempt } from './nextattempt.ts';
import { devicePlugin } from './plugin.ts';
import type { PluginContext } from './plugin.ts';
import { checkSelf } from './selfcheck.ts';
import { nextSocket } from './socketnames.ts';

export interface SessionOptions {
  /** The resource's newest state; its name never changes. */
  readonly latest: Latest<ResourceState>;
  readonly approach: Approach;
  readonly context: PluginContext;
  readonly log: Logger;
  readonly metrics: DeviceMetrics;
  /** Waits between attempts. */
  readonly backoff?: BackoffSchedule;
}

export interface Session {
  /** Where it stands; `reason` says why it is not `streaming`. */
  status(): { readonly state: SessionState; readonly reason: string };
  /** Undefined while the kubelet watches, else why not. */
  notReady(): string | undefined;
  /**
   * Ends the session and removes its socket; calls in flight may finish until `deadline`. `withdraw` sends an empty list
   * before, for a resource that will not come back: otherwise the kubelet counts it for five minutes more. Never throws.
   */
  stop(deadline: AbortSignal, options?: { readonly withdraw?: boolean }): Promise<void>;
}

/** The kubelet opens the stream at once after it has answered Register. */
const streamTimeoutMs = 5_000;
/** A session that lived this long was a good one: the next begins without a delay. */
const goodMs = 10_000;
/** How long a frozen kubelet is waited for at the end, twice: for the empty list, and for calls in flight. */
const patienceMs = 1_000;

/** Starts the session; it runs until `stop`. Throws INVALID_ARGUMENT where the paths of its sockets would be too long. */
export function startSession(options: SessionOptions): Session {
  const { latest, approach, context, metrics, backoff = defaultBackoff } = options;
  const resource = latest.value.rule.name;
  const log = options.log.child({ resource });
  const end = new AbortController();
  const withdrawn = new AbortController();
  const emptied = Promise.withResolvers<undefined>();
  let deadline: AbortSignal | undefined;
  let state: SessionState = 'lost';
  let reason = 'not started';
  let leftOut: string | undefined;
  assertSocketPath(join(approach.directory, nextSocket(resource)));

  const enter = (next: SessionState, why: string): void => {
    state = next;
    reason = why;
    metrics.session(resource, next);
  };

  /** Until a kubelet is there to be approached. False when the session ends before. */
  const kubeletThere = async (): Promise<boolean> => {
    const over = new AbortController();
    const signal = AbortSignal.any([end.signal, over.signal]);
    return await new Promise((resolve) => {
      signal.addEventListener('abort', () => {
        resolve(!end.signal.aborted);
      });
      if (end.signal.aborted) resolve(false);
      const look = async (): Promise<void> => {
        const missing = await approach.missing();
        if (missing === undefined) over.abort();
        else if (!signal.aborted && (state !== 'idle' || reason !== missing)) enter('idle', missing);
      };
      watchDirectory(approach.directory, look, { signal });
    });
  };

  const onCall = (call: FinishedCall): void => {
    const { method, code, seconds } = call;
    if (method === 'Allocate') metrics.allocated(resource, code === status.OK ? 'ok' : 'failed', seconds);
    if (method === 'GetPreferredAllocation') metrics.preferred(seconds);
    context.called?.(resource, call);
  };

  /** One generation, from its socket to its loss; says when it begins to stream. Always throws: why it was lost. */
  const live = async (attempt: Attempt, lost: AbortController, streamed: (since: number) => void): Promise<void> => {
    const over = AbortSignal.any([end.signal, lost.signal]);
    const lose = (why: string): void => {
      lost.abort(new BerthError('UNAVAILABLE', why));
    };
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
    const path = join(approach.directory, nextSocket(resource));
    const plugin = devicePlugin(latest, context, { onStream, onSent }, withdrawn.signal);
    const server = await serve({
      path,
      services: { ...attempt.services, 'v1beta1.DevicePlugin': plugin },
      log,
      onCall,
    });
    // Ends before the socket goes by our own hand: a look after that would take it for the loss.
    const watch = new AbortController();
    try {
      const look = async (): Promise<void> => {
        const ended = await attempt.ended();
        if (ended !== undefined) lose(ended);
        else if (!(await server.lives()) && !watch.signal.aborted) lose(`${path} was removed`);
      };
      watchDirectory(approach.directory, look, { signal: AbortSignal.any([over, watch.signal]) });
      await checkSelf(path, over);

      enter('registering', attempt.waitsFor(path));
      await attempt.register(path, over);

      enter('waiting', 'the kubelet has accepted the registration and has not called ListAndWatch yet');
      const timer = setTimeout(
        lose,
        streamTimeoutMs,
        `the kubelet registered ${resource} and never called ListAndWatch`,
      );
      const ended = untilAborted(over);
      await Promise.race([opened.promise, ended]).finally(() => {
        clearTimeout(timer);
      });
      metrics.registered(resource, 'ok');
      enter('streaming', '');
      streamed(performance.now());
      log.info(
        { event: 'device.registered', socket: basename(path), units: latest.value.units.size },
        'registered with the kubelet',
      );
      await ended;
    } finally {
      watch.abort();
      await server.stop(deadline);
    }
  };

  const onSent = (list: DeviceList, bytes: number): void => {
    metrics.listed(resource, bytes);
    if (list === noDevices) emptied.resolve(undefined);
    if (list.leftOut !== undefined && list.leftOut !== leftOut)
      log.warn({ event: 'device.left_out', reason: list.leftOut }, 'not everything can be advertised');
    leftOut = list.leftOut;
  };

  const run = async (): Promise<void> => {
    let failures = 0;
    let complained = '';
    let met: string | undefined;
    for (;;) {
      const waited = await nextAttempt(delayOf(backoff, failures), met, approach.sign, end.signal);
      if (waited === 'restarted') failures = 0;
      if (waited === 'ended' || !(await kubeletThere())) break;
      met = await approach.sign.read();
      const lost = new AbortController();
      let since: number | undefined;
      try {
        await live(await approach.attempt(resource), lost, (now) => {
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
      failures = since !== undefined && performance.now() - since >= goodMs ? 0 : failures + 1;
    }
    enter('stopped', 'the session has ended');
  };

  const running = run();
  return {
    status: () => ({ state, reason }),
    notReady: () => (state === 'streaming' ? undefined : `${resource} is not registered with the kubelet: ${reason}`),
    stop: async (until, { withdraw = false } = {}) => {
      if (withdraw && state === 'streaming') {
        withdrawn.abort();
        const patience = AbortSignal.any([until, end.signal, AbortSignal.timeout(patienceMs)]);
        await Promise.race([emptied.promise, untilAborted(patience)]).catch(() => undefined);
      }
      // Calls in flight take milliseconds; a frozen kubelet is not waited for longer than this.
      deadline = AbortSignal.any([until, AbortSignal.timeout(patienceMs)]);
      end.abort(new BerthError('UNAVAILABLE', 'the session is ending'));
      await running;
    },
  };
}
