/** For tests: the part of the Kubernetes API that knows tokens and rights, with state that can be changed and a server that can go away. */
import { createServer } from 'node:http';
import type { IncomingMessage, Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { createApiClient } from '../kubernetes/client.ts';
import type { ApiClient } from '../kubernetes/client.ts';

interface Spec {
  readonly token?: string;
  readonly user?: string;
  readonly groups?: readonly string[];
  readonly nonResourceAttributes?: { readonly path: string; readonly verb: string };
}

export class TestReviewer {
  /** User by token; tokens that have expired or are of another audience are not here. */
  readonly tokens = new Map<string, string>();
  /** Users that may get /metrics. */
  readonly readers = new Set<string>();
  /** `tokenreviews` and `subjectaccessreviews` in the order in which they were asked for. */
  readonly asked: string[] = [];
  /** Answers with this status instead: 403 is an agent without the rights, 500 an API server in trouble. */
  refusal: number | undefined;
  /** Answers wait for it. */
  hold: Promise<void> = Promise.resolve();
  readonly #server: Server;

  constructor() {
    this.#server = createServer((request, response) => {
      void this.#answer(request).then(({ status, body }) => {
        response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
      });
    });
  }

  async listen(): Promise<void> {
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve));
  }

  close(): void {
    this.#server.close();
    this.#server.closeAllConnections();
  }

  get client(): ApiClient {
    const { port } = this.#server.address() as AddressInfo;
    return createApiClient(() => Promise.resolve({ server: new URL(`http://127.0.0.1:${port}`), token: 'agent' }));
  }

  async #answer(request: IncomingMessage): Promise<{ readonly status: number; readonly body: object }> {
    const object = JSON.parse(await text(request)) as { readonly spec: Spec };
    this.asked.push(request.url?.split('/').at(-1) ?? '');
    await this.hold;
    if (this.refusal !== undefined) return { status: this.refusal, body: { kind: 'Status', message: 'refused' } };
    return { status: 201, body: { ...object, status: this.#statusOf(object.spec) } };
  }

  #statusOf({ token, user, groups = [], nonResourceAttributes }: Spec): object {
    if (token === undefined) {
      const right = nonResourceAttributes?.path === '/metrics' && nonResourceAttributes.verb === 'get';
      // As every user has it that was authenticated; without its groups it would be nobody.
      const known = groups.includes('system:authenticated');
      return { allowed: right && known && this.readers.has(user ?? '') };
    }
    const username = this.tokens.get(token);
    // The API server leaves `authenticated` out when it is false.
    if (username === undefined) return { user: {}, error: 'invalid bearer token' };
    return { authenticated: true, user: { username, uid: '1', groups: ['system:authenticated'], extra: { a: ['b'] } } };
  }
}
