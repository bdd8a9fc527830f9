/** The few questions `up` asks the API server itself; everything else goes through kubectl. */
import { readFileSync } from 'node:fs';
import { request } from 'node:https';
import { join } from 'node:path';
import { BerthError } from '../kit/errors.ts';

export interface ApiServer {
  /** GET a path; the status and the body, or undefined if nobody answers. */
  get(path: string): Promise<{ readonly status: number; readonly body: string } | undefined>;
}

export interface NodeObject {
  readonly metadata: { readonly name: string };
  readonly spec: { readonly podCIDRs?: readonly string[] };
}

/** The API server behind a port of this machine's loopback, as the administrator. */
export function apiServer(port: number, pkiFolder: string): ApiServer {
  const read = (file: string): Buffer => readFileSync(join(pkiFolder, file));
  const identity = { ca: read('ca.crt'), cert: read('admin.crt'), key: read('admin.key') };
  return {
    get: (path) =>
      new Promise((resolve) => {
        const options = { host: '127.0.0.1', port, path, ...identity, agent: false, timeout: 2000 };
        const outgoing = request(options, (response) => {
          let body = '';
          response.setEncoding('utf8').on('data', (text: string) => (body += text));
          response.on('end', () => {
            resolve({ status: response.statusCode ?? 0, body });
          });
        });
        // Not up yet, or going down: both mean "ask again".
        outgoing.on('error', () => {
          resolve(undefined);
        });
        outgoing.on('timeout', () => outgoing.destroy());
        outgoing.end();
      }),
  };
}

/** The Nodes that have registered. Errors: INTERNAL if the API server does not know what a Node is. */
export async function listNodes(api: ApiServer): Promise<readonly NodeObject[] | undefined> {
  const answer = await api.get('/api/v1/nodes');
  if (answer?.status !== 200) return undefined;
  const list: unknown = JSON.parse(answer.body);
  if (typeof list !== 'object' || list === null || !('items' in list) || !Array.isArray(list.items)) {
    throw new BerthError('INTERNAL', 'the API server answered /api/v1/nodes with something that is no list');
  }
  return list.items as NodeObject[];
}
