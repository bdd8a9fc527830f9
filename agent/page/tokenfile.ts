/** The file from which root reads the token of the page: beside the agent's socket, and anew with each start of the agent. */
import { readFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { replaceFile } from '../../kit/durablefile.ts';
import { BerthError, messageOf } from '../../kit/errors.ts';

/** `/run/berth/page-token` of the agent at `/run/berth/agent.sock`; another socket has another. */
export function tokenPathOf(socket: string): string {
  const name = basename(socket, '.sock').replace(/^agent-?/, '');
  return join(dirname(socket), name === '' ? 'page-token' : `page-token-${name}`);
}

/** Mode 0600, by rename. Throws when the folder cannot be written. */
export function writeToken(socket: string, token: string): void {
  replaceFile(tokenPathOf(socket), `${token}\n`);
}

/** Throws UNAVAILABLE when it cannot be read. */
export async function readToken(socket: string): Promise<string> {
  const path = tokenPathOf(socket);
  try {
    return (await readFile(path, 'utf8')).trim();
  } catch (error) {
    const text = `the token of the page cannot be read: ${messageOf(error)}; it is root's, and made when the agent starts`;
    throw new BerthError('UNAVAILABLE', text, { cause: error });
  }
}
