/** Reads and writes single objects of the Kubernetes API (design decision 12). One request, one connection. */
import type { ReadAccess } from './access.ts';
import { readObject, sendGet, sendObject } from './transport.ts';
import type { ApiObject, ContentType } from './transport.ts';

const timeoutMs = 5_000;
const largestAnswer = 4 * 1024 * 1024;

export interface ApiClient {
  /**
   * The object at an API path (`/api/v1/nodes/a`). Throws NOT_FOUND, FAILED_PRECONDITION (no credentials, or not
   * allowed), UNAVAILABLE (no answer, or 429 and 5xx), INTERNAL for any other answer.
   */
  get(path: string, signal: AbortSignal): Promise<ApiObject>;
  /** Merges into the object, by its lists' keys (strategic merge patch); resolves with it as it is then. Throws as `get`. */
  patch(path: string, patch: object, signal: AbortSignal): Promise<ApiObject>;
  /** Does all operations or none (JSON patch); one whose `test` fails is INTERNAL. Else throws as `get`. */
  operate(path: string, operations: readonly object[], signal: AbortSignal): Promise<ApiObject>;
  /** Makes an object in a collection. Throws as `get`, and BUSY when there is one of the name. */
  create(path: string, object: object, signal: AbortSignal): Promise<ApiObject>;
}

export function createApiClient(readAccess: ReadAccess): ApiClient {
  const limited = (signal: AbortSignal): { signal: AbortSignal } => ({
    signal: AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]),
  });
  const write = async (path: string, content: object, type: ContentType, signal: AbortSignal): Promise<ApiObject> =>
    await readObject(await sendObject(readAccess, path, content, { ...limited(signal), type }), largestAnswer);
  return {
    async get(path, signal) {
      return await readObject(await sendGet(readAccess, path, limited(signal)), largestAnswer);
    },
    patch: (path, patch, signal) => write(path, patch, 'application/strategic-merge-patch+json', signal),
    operate: (path, operations, signal) => write(path, operations, 'application/json-patch+json', signal),
    create: (path, object, signal) => write(path, object, 'application/json', signal),
  };
}
