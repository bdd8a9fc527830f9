import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { createLogger } from '../kit/log.ts';
import { dial } from '../protos/dial.ts';
import { createRegistrar } from './registrar.ts';
import type { Registrar } from './registrar.ts';

let rootDir = '';
let registrar: Registrar;
beforeEach(async () => {
  rootDir = await mkdtemp(join(tmpdir(), 'berth-kubelet-'));
  registrar = createRegistrar({
    rootDir,
    type: 'CSIPlugin',
    name: 'csi.berth.dev',
    endpoint: '/var/lib/kubelet/plugins/csi.berth.dev/csi.sock',
    versions: ['1.0.0'],
    log: createLogger('error', { write: () => undefined }),
  });
});
afterEach(async () => {
  await registrar.stop();
  await rm(rootDir, { recursive: true });
});

const socket = (): string => join(rootDir, 'plugins_registry', 'csi.berth.dev-reg.sock');

/** What the kubelet's plugin watcher does with a socket it finds. */
async function askAsKubelet(error = ''): Promise<unknown> {
  const plugin = dial('pluginregistration.Registration', socket(), { timeoutMs: 1_000 });
  try {
    const info = await plugin.GetInfo({});
    await plugin.NotifyRegistrationStatus({ plugin_registered: error === '', error });
    return info;
  } finally {
    plugin.close();
  }
}

test('the kubelet learns type, name, endpoint and versions, and the outcome can be seen', async () => {
  await mkdir(join(rootDir, 'plugins_registry'));
  registrar.start();
  await vi.waitFor(
    async () => {
      await expect(askAsKubelet()).resolves.toEqual({
        type: 'CSIPlugin',
        name: 'csi.berth.dev',
        endpoint: '/var/lib/kubelet/plugins/csi.berth.dev/csi.sock',
        supported_versions: ['1.0.0'],
      });
    },
    { timeout: 20_000 },
  );
  expect(registrar.status()).toEqual({ state: 'registered' });
  await askAsKubelet('versions not supported');
  expect(registrar.status()).toEqual({ state: 'refused', reason: 'the kubelet refused: versions not supported' });
});

test('a directory that comes late, and a socket that is removed, are both served again', async () => {
  registrar.start();
  expect(registrar.status()).toMatchObject({ state: 'waiting' });
  await mkdir(join(rootDir, 'plugins_registry'));
  await vi.waitFor(() => askAsKubelet(), { timeout: 5_000 });
  await rm(socket());
  await vi.waitFor(() => askAsKubelet(), { timeout: 5_000 });
  expect(registrar.status()).toEqual({ state: 'registered' });
});

test('after the stop the socket is gone', async () => {
  await mkdir(join(rootDir, 'plugins_registry'));
  registrar.start();
  await vi.waitFor(() => askAsKubelet(), { timeout: 20_000 });
  await registrar.stop();
  await expect(askAsKubelet()).rejects.toMatchObject({ code: 'UNAVAILABLE' });
});
