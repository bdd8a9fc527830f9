import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { inClusterAccess, kubeconfigAccess } from './access.ts';

let folder = '';
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'berth-agent-'));
});
afterEach(async () => {
  await rm(folder, { recursive: true });
});

test.each([
  ['10.0.0.1', 'https://10.0.0.1:6443'],
  ['fd00::1', 'https://[fd00::1]:6443'],
])('in a pod, the server at %s is known by the environment', async (host, server) => {
  await writeFile(join(folder, 'token'), 't\n');
  await writeFile(join(folder, 'ca.crt'), 'CA');
  const env = { KUBERNETES_SERVICE_HOST: host, KUBERNETES_SERVICE_PORT: '6443' };
  const access = await inClusterAccess(env, folder)();
  expect(access).toMatchObject({ ca: 'CA', token: 't' });
  expect(access.server.origin).toBe(server);
});

test('outside of a pod it says what to set', async () => {
  await expect(inClusterAccess({}, folder)()).rejects.toMatchObject({
    code: 'FAILED_PRECONDITION',
    message: expect.stringContaining('set agent.kubeconfig') as string,
  });
});

test('a kubeconfig gives certificates from data and from files beside it', async () => {
  const path = join(folder, 'config');
  await writeFile(join(folder, 'client.key'), 'KEY');
  const base64 = (text: string) => Buffer.from(text).toString('base64');
  const content = {
    'current-context': 'c',
    contexts: [{ name: 'c', context: { cluster: 'k', user: 'u' } }],
    clusters: [{ name: 'k', cluster: { server: 'https://api:6443', 'certificate-authority-data': base64('CA') } }],
    users: [{ name: 'u', user: { 'client-certificate-data': base64('CERT'), 'client-key': 'client.key' } }],
  };
  await writeFile(path, JSON.stringify(content));
  expect(await kubeconfigAccess(path)()).toMatchObject({ ca: 'CA', cert: 'CERT', key: 'KEY' });
});

test.each([
  ['nothing', '', 'expected object'],
  ['no YAML', 'a: [', ''],
  ['no current context', '{contexts: [], clusters: [], users: []}', 'no context ""'],
])('a kubeconfig with %s is refused with its path', async (_, text, reason) => {
  const path = join(folder, 'config');
  await writeFile(path, text);
  await expect(kubeconfigAccess(path)()).rejects.toThrow(path);
  await expect(kubeconfigAccess(path)()).rejects.toThrow(reason);
});
