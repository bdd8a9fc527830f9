import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { kubeconfigAccess } from './access.ts';
import { createApiClient } from './client.ts';
import { readPodRanges } from './podranges.ts';

/** An API server that knows Nodes; each answer of `script` is given once before the Node itself. */
class SmallApi {
  readonly requests: { readonly url: string; readonly authorization: string | undefined }[] = [];
  script: { readonly status: number; readonly body: unknown }[] = [];
  podCIDRs: string[] | undefined = ['10.244.1.0/24'];
  readonly server: Server = createServer((request, response) => {
    this.requests.push({ url: request.url ?? '', authorization: request.headers.authorization });
    const { status, body } = this.script.shift() ?? {
      status: 200,
      body: { kind: 'Node', spec: { podCIDRs: this.podCIDRs } },
    };
    response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
  });
}

let folder = '';
let api = new SmallApi();
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'berth-agent-'));
  api = new SmallApi();
  await new Promise<void>((resolve) => api.server.listen(0, '127.0.0.1', resolve));
  const { port } = api.server.address() as AddressInfo;
  const kubeconfig = {
    'current-context': 'c',
    contexts: [{ name: 'c', context: { cluster: 'k', user: 'u' } }],
    clusters: [{ name: 'k', cluster: { server: `http://127.0.0.1:${port}` } }],
    users: [{ name: 'u', user: { tokenFile: 'token' } }],
  };
  await writeFile(join(folder, 'kubeconfig'), JSON.stringify(kubeconfig));
  await writeFile(join(folder, 'token'), 'first\n');
});
afterEach(async () => {
  api.server.close();
  await rm(folder, { recursive: true });
});

const never = new AbortController().signal;
function ask(nodeName = 'a', signal: AbortSignal = never): Promise<readonly string[]> {
  const client = createApiClient(kubeconfigAccess(join(folder, 'kubeconfig')));
  const log = pino({ level: 'silent' });
  return readPodRanges({ client, nodeName, stateDir: join(folder, 'state'), log, schedule: [0] }, signal);
}

test('waits until the Node is registered and has its ranges, through refusals and errors', async () => {
  api.script = [
    { status: 404, body: { message: 'nodes "a" not found' } },
    { status: 500, body: { message: 'etcd' } },
    { status: 403, body: { message: 'no' } },
    { status: 200, body: { kind: 'Node', spec: {} } },
  ];
  await expect(ask()).resolves.toEqual(['10.244.1.0/24']);
  expect(api.requests.map(({ url }) => url)).toEqual(Array(5).fill('/api/v1/nodes/a'));
});

test('a rotated token is used by the next request', async () => {
  await ask();
  await writeFile(join(folder, 'token'), 'second\n');
  await ask();
  expect(api.requests.map(({ authorization }) => authorization)).toEqual(['Bearer first', 'Bearer second']);
});

test('a restart without an API server uses the ranges of the last start, for the same Node only', async () => {
  await ask();
  api.server.close();
  await expect(ask()).resolves.toEqual(['10.244.1.0/24']);
  const soon = AbortSignal.timeout(50);
  await expect(ask('b', soon)).rejects.toMatchObject({ code: 'UNAVAILABLE' });
});

test('the API is asked first, so a Node that was made anew gets its new ranges, and they are saved', async () => {
  await ask();
  api.podCIDRs = ['10.244.7.0/24', 'fd00:7::/64'];
  await expect(ask()).resolves.toEqual(['10.244.7.0/24', 'fd00:7::/64']);
  const saved = JSON.parse(await readFile(join(folder, 'state', 'podranges.json'), 'utf8')) as unknown;
  expect(saved).toEqual({ version: 1, nodeName: 'a', podCIDRs: ['10.244.7.0/24', 'fd00:7::/64'] });
});

test('a damaged saved file counts as none', async () => {
  await ask();
  await writeFile(join(folder, 'state', 'podranges.json'), '{"version":1,');
  await expect(ask()).resolves.toEqual(['10.244.1.0/24']);
});
