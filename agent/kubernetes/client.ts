/** Reads single objects from the Kubernetes API (design decision 12). One request, one connection. */
import type { ReadAccess } from './access.ts';
import { readObject, sendGet } from './transport.ts';
import type { ApiObject } from './transport.ts';

const timeoutMs = 5_000;
const largestAnswer = 4 * 1024 * 1024;

export interface ApiClient {
  /**
   * The object at an API path (`/api/v1/nodes/a`). Throws NOT_FOUND, FAILED_PRECONDITION (no credentials, or not
   * allowed), UNAVAILABLE (no answer, or 429 and 5xx), INTERNAL for any other answer.
   */
  get(path: string, signal: AbortSignal): Promise<ApiObject>;
}

export function createApiClient(readAccess: ReadAccess): ApiClient {
  return {
    async get(path, signal) {
      const limited = AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]);
      return await readObject(await sendGet(readAccess, path, { signal: limited }), largestAnswer);
    },
  };
}
