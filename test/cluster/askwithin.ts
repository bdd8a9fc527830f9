/** HTTP requests from within the network of a node, by one short-lived process for many of them. */
import { once } from 'node:events';
import { request as requestHttp } from 'node:http';
import type { IncomingMessage } from 'node:http';
import { request as requestHttps } from 'node:https';
import { text } from 'node:stream/consumers';
import { runChecked } from '../../cluster/command.ts';
import type { ClusterNode } from '../../cluster/node.ts';

export interface Question {
  readonly url: string;
  readonly token?: string;
}

export interface Answer {
  /** 0 when nobody answered; then `body` is the reason. */
  readonly status: number;
  readonly body: string;
}

/** Asks them one after another and resolves with their answers in order. Certificates are not verified. */
export async function askWithin(node: ClusterNode, questions: readonly Question[]): Promise<readonly Answer[]> {
  const args = ['--target', String(node.pid), '--net', '--', process.execPath, import.meta.filename];
  return JSON.parse(await runChecked('nsenter', args, { stdin: JSON.stringify(questions) })) as readonly Answer[];
}

async function ask({ url, token }: Question): Promise<Answer> {
  const headers = token === undefined ? {} : { authorization: `Bearer ${token}` };
  const sent = url.startsWith('https:')
    ? requestHttps(url, { headers, rejectUnauthorized: false })
    : requestHttp(url, { headers });
  sent.end();
  try {
    const [response] = (await once(sent, 'response')) as [IncomingMessage];
    return { status: response.statusCode ?? 0, body: await text(response) };
  } catch (error) {
    return { status: 0, body: String(error) };
  }
}

if (import.meta.main) {
  const answers: Answer[] = [];
  for (const question of JSON.parse(await text(process.stdin)) as readonly Question[])
    answers.push(await ask(question));
  process.stdout.write(JSON.stringify(answers));
}
