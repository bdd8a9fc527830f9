/** Calling gRPC services on a Unix socket with promises: deadlines, AbortSignal, and errors that name method and socket. */
import { Client, credentials, Metadata } from '@grpc/grpc-js';
import type { ClientReadableStream, MethodDefinition, ServiceError } from '@grpc/grpc-js';
import { BerthError } from '../kit/errors.ts';
import { definitionOf } from './load.ts';
import type { Method, MethodOf, MethodsOf, ServiceName } from './services.ts';
import { assertSocketPath } from './serve.ts';
import { codeOf } from './status.ts';

export interface UnaryOptions {
  /** Fails the call with TIMED_OUT after so many milliseconds. Default: the `timeoutMs` of the dial. */
  readonly timeoutMs?: number;
  /** Gives the call up, which then fails with UNAVAILABLE. */
  readonly signal?: AbortSignal;
}

type CallerOf<T> =
  T extends Method<infer Stream, unknown, unknown, infer Request, infer Response>
    ? Stream extends true
      ? (request: Request, options?: { readonly signal?: AbortSignal }) => ClientReadableStream<Response>
      : (request: Request, options?: UnaryOptions) => Promise<Response>
    : never;

/** The methods of a service as functions; a server stream is a Readable of messages (its errors are grpc's ServiceErrors). */
export type Caller<S extends ServiceName> = { readonly [M in keyof MethodsOf<S>]: CallerOf<MethodOf<S, M>> } & {
  /** Ends the connection; calls in flight fail. */
  close(): void;
};

export interface DialOptions {
  /** Deadline of unary calls in milliseconds. Default 10 s. */
  readonly timeoutMs?: number;
  /** The `:authority` sent. Default `localhost`, as the kubelet's. */
  readonly authority?: string;
}

/**
 * A client of one service on the socket at `path`. Connects at the first call; a socket nobody serves fails the call with
 * UNAVAILABLE. Unary calls throw a BerthError whose cause is grpc's ServiceError.
 */
export function dial<S extends ServiceName>(service: S, path: string, options: DialOptions = {}): Caller<S> {
  assertSocketPath(path);
  const client = new Client(`unix:${path}`, credentials.createInsecure(), {
    // Kubernetes' own client of the pod resources API allows as much; grpc's default is 4 MiB.
    'grpc.max_receive_message_length': 16 * 1024 * 1024,
    'grpc.enable_retries': 0,
    'grpc.enable_channelz': 0,
    // A channel of its own: a shared one would keep a back-off of an earlier dial of this path.
    'grpc.use_local_subchannel_pool': 1,
    ...(options.authority === undefined ? {} : { 'grpc.default_authority': options.authority }),
  });
  const callers: Record<string, unknown> = {
    close: () => {
      client.close();
    },
  };
  for (const [method, definition] of Object.entries(definitionOf(service)))
    callers[method] = definition.responseStream
      ? streamCaller(client, definition)
      : unaryCaller(client, definition, path, options.timeoutMs ?? 10_000);
  return callers as Caller<S>;
}

function unaryCaller(client: Client, definition: MethodDefinition<unknown, unknown>, path: string, timeoutMs: number) {
  return (request: unknown, options: UnaryOptions = {}): Promise<unknown> =>
    new Promise((resolve, reject) => {
      const { signal } = options;
      if (signal?.aborted === true) {
        reject(new BerthError('UNAVAILABLE', `${definition.path} on ${path}: given up before it began`));
        return;
      }
      const abandon = (): void => {
        call.cancel();
      };
      const answered = (error: ServiceError | null, response: unknown): void => {
        signal?.removeEventListener('abort', abandon);
        if (error === null) resolve(response);
        else reject(new BerthError(codeOf(error), `${definition.path} on ${path}: ${error.details}`, { cause: error }));
      };
      const call = client.makeUnaryRequest(
        definition.path,
        definition.requestSerialize,
        definition.responseDeserialize,
        request,
        new Metadata(),
        { deadline: Date.now() + (options.timeoutMs ?? timeoutMs) },
        answered,
      );
      signal?.addEventListener('abort', abandon, { once: true });
    });
}

function streamCaller(client: Client, definition: MethodDefinition<unknown, unknown>) {
  return (request: unknown, options: { readonly signal?: AbortSignal } = {}): ClientReadableStream<unknown> => {
    const call = client.makeServerStreamRequest(
      definition.path,
      definition.requestSerialize,
      definition.responseDeserialize,
      request,
      new Metadata(),
      {},
    );
    const abandon = (): void => {
      call.cancel();
    };
    if (options.signal?.aborted === true) abandon();
    options.signal?.addEventListener('abort', abandon, { once: true });
    call.on('close', () => {
      options.signal?.removeEventListener('abort', abandon);
    });
    return call;
  };
}
