/** Asks the API server whose token this is, and whether its owner may read metrics. */
import { z } from 'zod';
import { BerthError } from '../../kit/errors.ts';
import { quote } from '../../kit/quote.ts';
import type { ApiClient } from '../kubernetes/client.ts';

/** What a bearer gets: the metrics, or a status with a sentence for whoever set the scraper up. */
export type Verdict =
  | { readonly allowed: true }
  | { readonly allowed: false; readonly status: 401 | 403 | 429 | 503; readonly reason: string };

/** Throws what the client throws when the API server cannot be asked; INTERNAL when its answer is none. */
export type Review = (token: string, signal: AbortSignal) => Promise<Verdict>;

/** The path that is asked about, and by which a ClusterRole gives the right. */
export const metricsPath = '/metrics';

const tokenReview = z.object({
  status: z.object({
    authenticated: z.boolean().default(false),
    user: z
      .object({
        // The API server leaves out what is empty, as with every token that it does not take.
        username: z.string().default(''),
        uid: z.string().optional(),
        groups: z.array(z.string()).optional(),
        extra: z.record(z.string(), z.array(z.string())).optional(),
      })
      .optional(),
  }),
});
const accessReview = z.object({ status: z.object({ allowed: z.boolean(), denied: z.boolean().default(false) }) });

/**
 * Names no audience, so the API server takes tokens made for itself and refuses those made for others: a token that a pod gave away
 * to another service opens nothing here.
 */
export function createReview(client: Pick<ApiClient, 'create'>): Review {
  const ask = async <T>(group: string, kind: string, spec: object, schema: z.ZodType<T>, signal: AbortSignal) => {
    const apiVersion = `${group}/v1`;
    const path = `/apis/${apiVersion}/${kind.toLowerCase()}s`;
    const answer = schema.safeParse(await client.create(path, { apiVersion, kind, spec }, signal));
    if (!answer.success) throw new BerthError('INTERNAL', `POST ${path}: the answer is no ${kind} with a status`);
    return answer.data;
  };
  return async (token, signal) => {
    const { status } = await ask('authentication.k8s.io', 'TokenReview', { token }, tokenReview, signal);
    const { authenticated, user } = status;
    if (!authenticated || user === undefined || user.username === '') {
      const reason = 'the API server does not take this token: it is of another cluster or audience, or has expired';
      return { allowed: false, status: 401, reason };
    }
    const { username, ...rest } = user;
    const spec = { user: username, ...rest, nonResourceAttributes: { path: metricsPath, verb: 'get' } };
    const { status: access } = await ask('authorization.k8s.io', 'SubjectAccessReview', spec, accessReview, signal);
    if (access.allowed && !access.denied) return { allowed: true };
    const reason = `${quote(username, 256)} may not get ${metricsPath}; bind it to the ClusterRole berth-metrics-reader`;
    return { allowed: false, status: 403, reason };
  };
}
