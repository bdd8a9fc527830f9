/** What the doctor asks the Kubernetes API: one request after another over one connection, each with its whole answer. */
import { text } from 'node:stream/consumers';
import type { ReadAccess } from '../kubernetes/access.ts';
import { createConnection, parseObject, refusalOf, sendGet, sendObject } from '../kubernetes/transport.ts';
import type { ApiObject, ApiResponse } from '../kubernetes/transport.ts';

export interface ApiAnswer {
  readonly status: number;
  /** The server's clock, milliseconds since 1970; NaN where it does not say. */
  readonly date: number;
  /** What was asked: `GET host/path`. */
  readonly what: string;
  readonly object: ApiObject | undefined;
}

export interface DoctorApi {
  /** `host:port` of the server. Throws FAILED_PRECONDITION when it is not known. */
  server(): Promise<string>;
  /** Throws UNAVAILABLE when nothing answers, FAILED_PRECONDITION when it is not known where the API is. */
  ask(method: 'GET' | 'POST' | 'PATCH', path: string, signal: AbortSignal, content?: object): Promise<ApiAnswer>;
  /** The object; throws also for every answer but success, as `createApiClient` does. */
  get(path: string, signal: AbortSignal): Promise<ApiObject>;
  close(): void;
}

export function createDoctorApi(readAccess: ReadAccess): DoctorApi {
  const connection = createConnection();
  const send = async (
    method: 'GET' | 'POST' | 'PATCH',
    path: string,
    signal: AbortSignal,
    content: object,
  ): Promise<ApiResponse> => {
    const options = { signal, connection };
    if (method === 'GET') return await sendGet(readAccess, path, options);
    const type = method === 'POST' ? 'application/json' : 'application/strategic-merge-patch+json';
    return await sendObject(readAccess, path, content, { ...options, type });
  };
  const exchange = async (response: ApiResponse): Promise<ApiAnswer> => {
    const { status, date, what } = response;
    return { status, date, what, object: parseObject(await text(response.body)) };
  };
  return {
    server: async () => (await readAccess()).server.host,
    ask: async (method, path, signal, content = {}) => await exchange(await send(method, path, signal, content)),
    get: async (path, signal) => {
      const response = await send('GET', path, signal, {});
      const { status, object } = await exchange(response);
      if (status === 200 && object !== undefined) return object;
      throw refusalOf(response, object);
    },
    close: () => {
      connection.close();
    },
  };
}
