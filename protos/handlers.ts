/**
 * Adapts handlers that return promises and throw BerthErrors to grpc-js: one place where an error becomes a status, a
 * failed call is logged and every call is measured.
 */
import { status } from '@grpc/grpc-js';
import type {
  MethodDefinition,
  ServiceDefinition,
  UntypedHandleCall,
  UntypedServiceImplementation,
} from '@grpc/grpc-js';
import type { sendUnaryData, ServerUnaryCall, ServerWritableStream } from '@grpc/grpc-js';
import { asBerthError, BerthError } from '../kit/errors.ts';
import type { Logger } from '../kit/log.ts';
import { definitionOf } from './load.ts';
import type { Method, MethodOf, MethodsOf, ServiceName } from './services.ts';
import { statusOf } from './status.ts';
import type { FailureStatus } from './status.ts';

/** What a handler knows of its call besides the request. */
export interface CallContext {
  /** Fires when the caller has gone or given up, and for streams also when the server stops. */
  readonly signal: AbortSignal;
}

/** The sending side of a server stream. */
export interface ServerStream<Response> extends CallContext {
  /**
   * Sends one message, or the bytes of one that is encoded already; resolves when it has left for the transport (for a reader that has stopped: never, until the call
   * ends), so a sender that waits keeps at most one message pending. Throws RESOURCE_EXHAUSTED, with nothing sent, when the message is larger than what every client accepts
   * (4 MiB, grpc's default), and UNAVAILABLE when the call has ended.
   */
  send(message: Response | Buffer): Promise<void>;
}

type HandlerOf<T> =
  T extends Method<infer Stream, infer Request, infer Response, unknown, unknown>
    ? Stream extends true
      ? (request: Request, stream: ServerStream<Response>) => Promise<void>
      : (request: Request, call: CallContext) => Response | Promise<Response>
    : never;

/** Handlers of a service by method. Those left out answer UNIMPLEMENTED. A stream ends when its promise resolves. */
export type Handlers<S extends ServiceName> = { readonly [M in keyof MethodsOf<S>]?: HandlerOf<MethodOf<S, M>> };

/** A call that has ended, for metrics and for people who look. */
export interface FinishedCall {
  readonly service: string;
  readonly method: string;
  /** The decoded request, which may carry secrets. */
  readonly request: unknown;
  readonly code: status;
  readonly seconds: number;
}

export interface CallOptions {
  readonly log: Logger;
  /** Turns a failure into a status. Default: `statusOf`. */
  readonly statusOf?: (error: BerthError) => FailureStatus;
  readonly onCall?: (call: FinishedCall) => void;
}

type UnaryHandler = (request: unknown, call: CallContext) => unknown;
type StreamHandler = (request: unknown, stream: ServerStream<unknown>) => Promise<void>;

/** grpc's default receive limit, which the kubelet keeps. */
const maxMessageBytes = 4 * 1024 * 1024;

/** The grpc-js implementation of a service. `stopping` ends its streams. */
export function adapt<S extends ServiceName>(
  service: S,
  handlers: Handlers<S>,
  stopping: AbortSignal,
  options: CallOptions,
): UntypedServiceImplementation {
  const adapted: Record<string, UntypedHandleCall> = {};
  for (const [method, definition] of Object.entries(definitionOf(service))) {
    const handler = (handlers as Readonly<Record<string, unknown>>)[method];
    if (handler === undefined) continue;
    const finish = finisher(service, method, options);
    adapted[method] = definition.responseStream
      ? streamCall(handler as StreamHandler, definition, stopping, finish)
      : unaryCall(handler as UnaryHandler, finish);
  }
  return adapted;
}

/** The definition of a service whose streams also take messages that are bytes already. */
export function takesBytes(service: ServiceDefinition): ServiceDefinition {
  const taking = (definition: MethodDefinition<unknown, unknown>): MethodDefinition<unknown, unknown> => ({
    ...definition,
    responseSerialize: (message) => encode(definition, message),
  });
  return Object.fromEntries(Object.entries(service).map(([method, definition]) => [method, taking(definition)]));
}

function encode(definition: MethodDefinition<unknown, unknown>, message: unknown): Buffer {
  return Buffer.isBuffer(message) ? message : definition.responseSerialize(message);
}

type Finisher = (started: number, request: unknown, thrown?: unknown) => FailureStatus;

function finisher(service: string, method: string, options: CallOptions): Finisher {
  return (started, request, thrown) => {
    const seconds = (performance.now() - started) / 1000;
    let outcome: FailureStatus = { code: status.OK, details: '' };
    if (thrown !== undefined) {
      const error = asBerthError(thrown);
      outcome = (options.statusOf ?? statusOf)(error);
      // A BerthError says what happened; the stack is only worth a line where it was not foreseen.
      const stack =
        error.code === 'INTERNAL' ? { stack: (error.cause as Error | undefined)?.stack ?? error.stack } : {};
      options.log.warn(
        { event: 'call.failed', service, method, code: status[outcome.code], seconds, reason: error.message, ...stack },
        'call failed',
      );
    }
    options.onCall?.({ service, method, request, code: outcome.code, seconds });
    return outcome;
  };
}

function unaryCall(handler: UnaryHandler, finish: Finisher): UntypedHandleCall {
  return (call: ServerUnaryCall<unknown, unknown>, callback: sendUnaryData<unknown>): void => {
    const started = performance.now();
    const cancelled = new AbortController();
    let answered = false;
    call.on('cancelled', () => {
      // grpc-js says so of every call that ends. An abort makes an error with a stack, 0.03 ms each.
      if (!answered) cancelled.abort();
    });
    Promise.try(handler, call.request, { signal: cancelled.signal })
      .finally(() => {
        answered = true;
      })
      .then(
        (response) => {
          finish(started, call.request);
          callback(null, response);
        },
        (thrown: unknown) => {
          callback(finish(started, call.request, thrown));
        },
      );
  };
}

function streamCall(
  handler: StreamHandler,
  definition: MethodDefinition<unknown, unknown>,
  stopping: AbortSignal,
  finish: Finisher,
): UntypedHandleCall {
  return (call: ServerWritableStream<unknown, unknown>): void => {
    const started = performance.now();
    const cancelled = new AbortController();
    const signal = AbortSignal.any([cancelled.signal, stopping]);
    call.on('cancelled', () => {
      cancelled.abort();
    });
    // grpc-js reports a broken transport here as well as by `cancelled`; without a listener it would end the process.
    call.on('error', () => {
      cancelled.abort();
    });
    const send = async (message: unknown): Promise<void> => {
      if (signal.aborted) throw new BerthError('UNAVAILABLE', 'the stream has ended');
      const bytes = encode(definition, message);
      if (bytes.length >= maxMessageBytes)
        throw new BerthError(
          'RESOURCE_EXHAUSTED',
          `a message of ${bytes.length} bytes is above the ${maxMessageBytes} a client takes`,
        );
      // grpc-js forgets the callback of a write when the call ends, hence the signal beside it.
      const ended = Promise.withResolvers<undefined>();
      const onEnd = (): void => {
        ended.resolve(undefined);
      };
      signal.addEventListener('abort', onEnd);
      call.write(bytes, onEnd);
      await ended.promise;
      signal.removeEventListener('abort', onEnd);
    };
    Promise.try(handler, call.request, { signal, send }).then(
      () => {
        finish(started, call.request);
        call.end();
      },
      (thrown: unknown) => {
        // Who has gone cannot be answered, and that he has gone is no failure of the call.
        if (signal.aborted) {
          finish(started, call.request);
          call.end();
        } else call.emit('error', finish(started, call.request, thrown));
      },
    );
  };
}
