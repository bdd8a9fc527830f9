/** Reads and patches single objects of the Kubernetes API (design decision 12). One request, one connection. */
import type { ReadAccess } from './access.ts';
import { readObject, sendGet, sendPatch } from './transport.ts';
import type { ApiObject } from './transport.ts';

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
}

export function createApiClient(readAccess: ReadAccess): ApiClient {
  const limited = (signal: AbortSignal): { signal: AbortSignal } => ({
    signal: AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]),
  });
  return {
    async get(path, signal) {
      return await readObject(await sendGet(readAccess, path, limited(signal)), largestAnswer);
    },
    async patch(path, patch, signal) {
      return await readObject(await sendPatch(readAccess, path, patch, limited(signal)), largestAnswer);
    },
  };
}
