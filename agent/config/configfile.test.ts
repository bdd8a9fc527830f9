import { mkdir, mkdtemp, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { Latest } from '../../kit/latest.ts';
import { createLogger } from '../../kit/log.ts';
import { loadNodeConfig } from '../nodeconfig.ts';
import type { NodeConfig } from '../nodeconfig.ts';
import { ConfigFile } from './configfile.ts';

const text = (agent: string): string =>
  `apiVersion: berth.dev/v1alpha1\nkind: NodeConfig\nagent: {${agent}}\ndevices: {rulesDir: /r}\n`;
const load = (content: string): NodeConfig => {
  const loaded = loadNodeConfig(content, undefined);
  if ('config' in loaded) return loaded.config;
  throw new Error(JSON.stringify(loaded.problems));
};

let folder = '';
let path = '';
let versions = 0;
let followed: ConfigFile | undefined;
let running = new Latest(load(text('')));
let changes = 0;
let events: unknown[] = [];
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'berth-config-'));
  path = join(folder, 'config.yaml');
  [changes, events] = [0, []];
  await put(text('port: 9880'));
  await symlink('..data/config.yaml', path);
  running = new Latest(load(text('port: 9880')));
  followed = new ConfigFile({
    ...{ path, whole: running.value, only: [], running },
    env: { NODE_NAME: undefined, POD_NAME: 'berth-fast-x7k2p' },
    log: createLogger('info', { write: (line) => events.push((JSON.parse(line) as { event: unknown }).event) }),
    changed: () => {
      changes++;
    },
  });
  followed.start();
});
afterEach(async () => {
  followed?.stop();
  await rm(folder, { recursive: true });
});

/** As the kubelet replaces the version of a mounted ConfigMap. */
async function put(content: string): Promise<void> {
  versions++;
  await mkdir(join(folder, `..${versions}`));
  await writeFile(join(folder, `..${versions}`, 'config.yaml'), content);
  await symlink(`..${versions}`, join(folder, '..data_tmp'));
  await rename(join(folder, '..data_tmp'), join(folder, '..data'));
  await rm(join(folder, `..${versions - 1}`), { recursive: true, force: true });
}

const view = (): Promise<unknown> | undefined => followed?.view();
const right = { problems: [], pending: [], daemonSet: 'berth-fast' };

test('what can be taken over is, by the event alone, and other words for the same are no change', async () => {
  const before = running.value;
  await put(`# nobody is told of this\n${text('port: 9880, logLevel: info')}`);
  expect(await view()).toMatchObject(right);
  expect([running.value === before, changes, events]).toEqual([true, 0, []]);
  await put(text('port: 9880, logLevel: debug'));
  await vi.waitUntil(() => running.value.agent.logLevel === 'debug', { timeout: 20_000 });
  expect(running.value.devices).toBe(before.devices);
  expect(await view()).toMatchObject({ ...right, file: path, text: text('port: 9880, logLevel: debug') });
  expect([followed?.inEffect, events]).toEqual([true, ['config.applied']]);
});

test('what needs a restart is told until the file says again what runs', async () => {
  const before = running.value;
  await put(text('port: 9990'));
  await vi.waitUntil(() => changes === 1, { timeout: 20_000 });
  expect(await view()).toMatchObject({ ...right, pending: ['agent.port'] });
  expect(followed?.inEffect).toBe(false);
  await put(text('port: 9880'));
  await vi.waitUntil(() => changes === 2, { timeout: 20_000 });
  expect(await view()).toMatchObject(right);
  expect([running.value === before, followed?.inEffect, events]).toEqual([
    true,
    true,
    ['config.pending', 'config.in_effect'],
  ]);
});

test('a file with mistakes, and one that is gone, change nothing and are told with all that is wrong', async () => {
  const before = running.value;
  // The start is what could be used last.
  await view();
  await put(text('port: nine, logLevel: loud'));
  expect(await view()).toMatchObject({
    problems: [
      expect.stringMatching(/config\.yaml:3: agent\.logLevel: .*"loud"/),
      expect.stringMatching(/config\.yaml:3: agent\.port: .*"nine"/),
    ],
    pending: [],
    text: text('port: 9880'),
  });
  await rm(path);
  expect(await view()).toMatchObject({ problems: [expect.stringContaining('ENOENT')] });
  expect([running.value === before, followed?.inEffect]).toEqual([true, false]);
  await put(text('port: 9880, logLevel: warn'));
  await symlink('..data/config.yaml', path);
  expect(await view()).toMatchObject(right);
  expect(running.value.agent.logLevel).toBe('warn');
  expect(events).toEqual(['config.refused', 'config.refused', 'config.applied', 'config.in_effect']);
});
