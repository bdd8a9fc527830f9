/** Asks the agent that runs on this node, over its socket, or its parts over theirs. */
import { request } from 'node:http';
import { text } from 'node:stream/consumers';
import { BerthError, errnoOf, messageOf } from '../../kit/errors.ts';
import { socketsOf } from '../part.ts';

/** Reading takes milliseconds; what is done has to be on disk when it is answered. */
const readingMs = 5_000;
const doingMs = 120_000;

/**
 * The items of a view, `of` one thing where the view is about one; `warn` is told of parts that do not answer while others do.
 * Throws UNAVAILABLE when no agent answers or has no such view.
 */
export async function askAgent(
  socket: string,
  view: string,
  of = '',
  warn = warnOnTerminal,
): Promise<readonly unknown[]> {
  return await exchange(socket, { method: 'GET', name: view, of, timeout: readingMs }, warn);
}

/** Has the agent do something to one thing; the items are what it changed. Throws UNAVAILABLE with the reason when it did not. */
export async function haveAgentDo(socket: string, action: string, of: string): Promise<readonly unknown[]> {
  return await exchange(socket, { method: 'POST', name: action, of, timeout: doingMs }, warnOnTerminal);
}

/** What each part of the agent answers, beside its socket. Never throws. */
export async function askEach(
  socket: string,
  view: string,
): Promise<readonly (Answer & { readonly socket: string })[]> {
  const asked = { method: 'GET', name: view, of: '', timeout: readingMs } as const;
  return await Promise.all(socketsOf(socket).map(async (each) => ({ socket: each, ...(await askOne(each, asked)) })));
}

interface Asked {
  readonly method: 'GET' | 'POST';
  readonly name: string;
  readonly of: string;
  /** Milliseconds without an answer. */
  readonly timeout: number;
}

function warnOnTerminal(sentence: string): void {
  process.stderr.write(`berth: ${sentence}\n`);
}

/** Asks every part of the agent, because a plugin may be a process of its own (`berth run --only`). */
async function exchange(socket: string, asked: Asked, warn: (sentence: string) => void): Promise<readonly unknown[]> {
  const answers = await Promise.all(socketsOf(socket).map((each) => askOne(each, asked)));
  const errors = answers.filter((answer) => 'error' in answer);
  const of = (kind: Refusal): BerthError | undefined => errors.find((each) => each.kind === kind)?.error;
  const failed = of('failed');
  if (failed !== undefined) throw failed;
  const found = answers.filter((answer) => 'items' in answer);
  if (found.length === 0) throw of('dead') ?? of('absent') ?? of('nobody') ?? new Error(`nobody answers on ${socket}`);
  // What others have is shown; that it may not be all is told.
  for (const { kind, error } of errors) if (kind === 'dead') warn(error.message);
  return found.flatMap(({ items }) => items);
}

/**
 * `failed`: it has the view and could not make it, or refused the action. `absent`: it has no such view. `dead`: there is a
 * socket, and nobody answers. `nobody`: there is none.
 */
type Refusal = 'failed' | 'absent' | 'dead' | 'nobody';
export type Answer = { readonly items: readonly unknown[] } | { readonly kind: Refusal; readonly error: BerthError };

/** The items of a view of one process. Never rejects for what that process does or does not do. */
export async function askPart(socket: string, view: string): Promise<Answer> {
  return await askOne(socket, { method: 'GET', name: view, of: '', timeout: readingMs });
}

async function askOne(socket: string, { method, name, of, timeout }: Asked): Promise<Answer> {
  const path = `/v1/${name}${of === '' ? '' : `?of=${encodeURIComponent(of)}`}`;
  const outcome = await new Promise<{ status: number; body: string }>((resolve, reject) => {
    const asked = request({ socketPath: socket, path, method, timeout }, (response) => {
      text(response).then((body) => {
        resolve({ status: response.statusCode ?? 0, body });
      }, reject);
    });
    asked.on('timeout', () => asked.destroy(new Error(`no answer within ${timeout / 1_000} s`)));
    asked.on('error', reject);
    asked.end();
  }).catch((error: unknown): Answer => {
    const errno = errnoOf(error) ?? '';
    const hint = ['ENOENT', 'ECONNREFUSED'].includes(errno)
      ? 'no agent runs here, or its agent.socket is another (--socket)'
      : messageOf(error);
    return {
      kind: errno === 'ENOENT' ? 'nobody' : 'dead',
      error: new BerthError('UNAVAILABLE', `the agent cannot be asked on ${socket}: ${hint}`, { cause: error }),
    };
  });
  if (!('status' in outcome)) return outcome;
  const { status, body } = outcome;
  const answer = JSON.parse(body) as {
    readonly items?: readonly unknown[];
    readonly error?: string;
    readonly absent?: true;
  };
  if (status === 200 && answer.items !== undefined) return { items: answer.items };
  return {
    kind: answer.absent === true ? 'absent' : 'failed',
    error: new BerthError('UNAVAILABLE', answer.error ?? `the agent answered ${status}`),
  };
}
