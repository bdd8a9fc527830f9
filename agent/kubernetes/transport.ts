/** One request to the Kubernetes API over Node's own http and https, and what an answer that is not 200 means. */
import { Agent as HttpAgent, request as requestHttp } from 'node:http';
import type { IncomingMessage } from 'node:http';
import { Agent as HttpsAgent, request as requestHttps } from 'node:https';
import type { RequestOptions } from 'node:https';
import { BerthError, messageOf } from '../../kit/errors.ts';
import type { ReadAccess } from './access.ts';

/** An object of the API as it came; whoever reads it checks the fields it uses. */
export type ApiObject = Readonly<Record<string, unknown>>;

/** An answer whose body is not read yet. */
export interface ApiResponse {
  readonly status: number;
  /** What `Retry-After` asks for, milliseconds; 0 without one. */
  readonly retryAfter: number;
  /** The server's clock when it answered (`Date`), milliseconds since 1970; NaN where it does not say. */
  readonly date: number;
  readonly body: IncomingMessage;
  /** `GET host/path`, for messages. */
  readonly what: string;
}

/** A connection that several requests use one after another. */
export interface Connection {
  readonly http: HttpAgent;
  readonly https: HttpsAgent;
  close(): void;
}

/** Opens nothing yet; the first request does. */
export function createConnection(): Connection {
  const http = new HttpAgent({ keepAlive: true, maxSockets: 1 });
  const https = new HttpsAgent({ keepAlive: true, maxSockets: 1 });
  return {
    http,
    https,
    close: () => {
      http.destroy();
      https.destroy();
    },
  };
}

export interface GetOptions {
  readonly signal: AbortSignal;
  /** Without it the request has a connection of its own. */
  readonly connection?: Connection;
  /** Idle milliseconds after which the kernel asks whether the other side is still there; it gives up 10 s later. */
  readonly probeAfter?: number;
}

/** Sends a GET and resolves with the head of the answer. Throws UNAVAILABLE when nothing answers, and what `readAccess` throws. */
export async function sendGet(readAccess: ReadAccess, path: string, options: GetOptions): Promise<ApiResponse> {
  return await send(readAccess, 'GET', path, options);
}

/** What the body of a request is, as the API tells kinds of patches apart. */
export type ContentType =
  | 'application/json'
  /** Lists of conditions are merged by their type. */
  | 'application/strategic-merge-patch+json'
  /** Operations, of which a `test` that fails refuses all (RFC 6902). */
  | 'application/json-patch+json';

/** The same with a body. */
export async function sendObject(
  readAccess: ReadAccess,
  path: string,
  content: object,
  options: GetOptions & { readonly type: ContentType },
): Promise<ApiResponse> {
  const method = options.type === 'application/json' ? 'POST' : 'PATCH';
  return await send(readAccess, method, path, options, { text: JSON.stringify(content), type: options.type });
}

// Credentials are read for each request, because tokens and certificates are rotated on disk.
async function send(
  readAccess: ReadAccess,
  method: string,
  path: string,
  options: GetOptions,
  content?: { readonly text: string; readonly type: ContentType },
): Promise<ApiResponse> {
  const access = await readAccess();
  const url = new URL(path, access.server);
  const plain = url.protocol === 'http:';
  const request: RequestOptions = {
    method,
    agent: (plain ? options.connection?.http : options.connection?.https) ?? false,
    ca: access.ca,
    cert: access.cert,
    key: access.key,
    headers: {
      accept: 'application/json',
      'user-agent': 'berth',
      ...(content === undefined ? {} : { 'content-type': content.type }),
      ...(access.token === undefined ? {} : { authorization: `Bearer ${access.token}` }),
    },
    signal: options.signal,
    ...(access.serverName === undefined ? {} : { servername: access.serverName }),
  };
  try {
    const body = await new Promise<IncomingMessage>((resolve, reject) => {
      const sent = plain ? requestHttp(url, request) : requestHttps(url, request);
      if (options.probeAfter !== undefined) sent.setSocketKeepAlive(true, options.probeAfter);
      sent.once('response', resolve);
      // Stays: a connection may also break after the head.
      sent.on('error', reject);
      sent.end(content?.text);
    });
    const seconds = Number(body.headers['retry-after'] ?? 0);
    return {
      status: body.statusCode ?? 0,
      retryAfter: Number.isFinite(seconds) ? seconds * 1_000 : 0,
      date: Date.parse(body.headers.date ?? ''),
      body,
      what: `${method} ${url.host}${url.pathname}`,
    };
  } catch (error) {
    throw unreachable(url.host, error);
  }
}

function unreachable(host: string, cause: unknown): BerthError {
  return new BerthError('UNAVAILABLE', `the Kubernetes API at ${host} cannot be reached: ${messageOf(cause)}`, {
    cause,
  });
}

/** The object of an answer. Throws as `refusalOf`; UNAVAILABLE when it breaks off, INTERNAL when it is too large. */
export async function readObject(response: ApiResponse, largest: number): Promise<ApiObject> {
  const chunks: Buffer[] = [];
  let size = 0;
  try {
    for await (const chunk of response.body as AsyncIterable<Buffer>) {
      size += chunk.length;
      if (size > largest) break;
      chunks.push(chunk);
    }
  } catch (error) {
    throw new BerthError('UNAVAILABLE', `${response.what}: the answer broke off: ${messageOf(error)}`, {
      cause: error,
    });
  }
  if (size > largest) throw new BerthError('INTERNAL', `${response.what}: the answer is larger than ${largest} bytes`);
  const object = parseObject(Buffer.concat(chunks).toString('utf8'));
  if ((response.status === 200 || response.status === 201) && object !== undefined) return object;
  throw refusalOf(response, object);
}

/** A JSON object, or undefined for anything else. */
export function parseObject(text: string): ApiObject | undefined {
  try {
    const content: unknown = JSON.parse(text);
    return typeof content === 'object' && content !== null ? (content as ApiObject) : undefined;
  } catch {
    return undefined;
  }
}

/** An answer other than the object asked for: NOT_FOUND, BUSY (changed meanwhile, or there already), FAILED_PRECONDITION (not allowed), UNAVAILABLE or INTERNAL. */
export function refusalOf({ status, what }: ApiResponse, object: ApiObject | undefined): BerthError {
  const reason = typeof object?.['message'] === 'string' ? object['message'] : `${status}`;
  if (status === 404) return new BerthError('NOT_FOUND', `${what}: ${reason}`);
  // Somebody was quicker: what is there is to be read again.
  if (status === 409) return new BerthError('BUSY', `${what}: ${reason}`);
  if (status === 401 || status === 403)
    return new BerthError(
      'FAILED_PRECONDITION',
      `${what} is not allowed: ${reason}; check the service account and its ClusterRole`,
    );
  if (status === 429 || status >= 500) return new BerthError('UNAVAILABLE', `${what}: ${reason}`);
  return new BerthError('INTERNAL', `${what}: unexpected answer ${status}: ${reason}`);
}
