/** Asks the agent that runs on this node, over its socket. */
import { request } from 'node:http';
import { text } from 'node:stream/consumers';
import { BerthError, errnoOf, messageOf } from '../../kit/errors.ts';

/** Reading takes milliseconds; what is done has to be on disk when it is answered. */
const readingMs = 5_000;
const doingMs = 120_000;

/** The items of a view, `of` one thing where the view is about one. Throws UNAVAILABLE when no agent answers or has no such view. */
export async function askAgent(socket: string, view: string, of = ''): Promise<readonly unknown[]> {
  return await exchange(socket, { method: 'GET', name: view, of, timeout: readingMs });
}

/** Has the agent do something to one thing; the items are what it changed. Throws UNAVAILABLE with the reason when it did not. */
export async function haveAgentDo(socket: string, action: string, of: string): Promise<readonly unknown[]> {
  return await exchange(socket, { method: 'POST', name: action, of, timeout: doingMs });
}

interface Asked {
  readonly method: 'GET' | 'POST';
  readonly name: string;
  readonly of: string;
  /** Milliseconds without an answer. */
  readonly timeout: number;
}

async function exchange(socket: string, { method, name, of, timeout }: Asked): Promise<readonly unknown[]> {
  const path = `/v1/${name}${of === '' ? '' : `?of=${encodeURIComponent(of)}`}`;
  const { status, body } = await new Promise<{ status: number; body: string }>((resolve, reject) => {
    const asked = request({ socketPath: socket, path, method, timeout }, (response) => {
      text(response).then((body) => {
        resolve({ status: response.statusCode ?? 0, body });
      }, reject);
    });
    asked.on('timeout', () => asked.destroy(new Error(`no answer within ${timeout / 1_000} s`)));
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
