/** Asks the agent that runs on this node, over its socket. */
import { request } from 'node:http';
import { text } from 'node:stream/consumers';
import { BerthError, errnoOf, messageOf } from '../../kit/errors.ts';

/** The items of a view, `of` one thing where the view is about one. Throws UNAVAILABLE when no agent answers or has no such view. */
export async function askAgent(socket: string, view: string, of = ''): Promise<readonly unknown[]> {
  const path = `/v1/${view}${of === '' ? '' : `?of=${encodeURIComponent(of)}`}`;
  const { status, body } = await new Promise<{ status: number; body: string }>((resolve, reject) => {
    const asked = request({ socketPath: socket, path, timeout: 5_000 }, (response) => {
      text(response).then((body) => {
        resolve({ status: response.statusCode ?? 0, body });
      }, reject);
    });
    asked.on('timeout', () => asked.destroy(new Error('no answer within 5 s')));
    asked.on('error', reject);
    asked.end();
  }).catch((error: unknown) => {
    const hint = ['ENOENT', 'ECONNREFUSED'].includes(errnoOf(error) ?? '')
      ? 'no agent runs here, or its agent.socket is another (--socket)'
      : messageOf(error);
    throw new BerthError('UNAVAILABLE', `the agent cannot be asked on ${socket}: ${hint}`, { cause: error });
  });
  const answer = JSON.parse(body) as { readonly items?: readonly unknown[]; readonly error?: string };
  if (status === 200 && answer.items !== undefined) return answer.items;
  throw new BerthError('UNAVAILABLE', answer.error ?? `the agent answered ${status}`);
}
