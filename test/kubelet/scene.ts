/** What every test of sessions has: a scripted kubelet, the sessions, and a folder of their own that is gone afterwards. */
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Writable } from 'node:stream';
import { afterEach, beforeEach } from 'vitest';
import { node, unit } from '../../deviceplugin/plugin/fake/state.ts';
import { createLogger } from '../../kit/log.ts';
import { FakeKubelet } from './fakekubelet.ts';
import type { KubeletScript } from './kubeletscript.ts';
import { Plugins } from './plugins.ts';
import type { PluginsOptions } from './plugins.ts';

const quiet = createLogger('error', { write: () => undefined });
/** What the sessions have logged. */
export let lines: string[] = [];
const log = createLogger(
  'info',
  new Writable({
    write: (line, _encoding, done) => {
      lines.push(String(line));
      done();
    },
  }),
);
export let rootDir = '';
export let cdiDir = '';
export let kubelet: FakeKubelet;
export let plugins: Plugins;

beforeEach(async () => {
  rootDir = await mkdtemp(join(tmpdir(), 'berth-k-'));
  cdiDir = join(rootDir, 'cdi');
  lines = [];
});
afterEach(async () => {
  await plugins.stop();
  await kubelet.stop();
  await rm(rootDir, { recursive: true });
});

/** A kubelet that is not there yet. */
export function absentKubelet(): void {
  kubelet = new FakeKubelet(rootDir, quiet);
}
export async function startKubelet(script: KubeletScript = {}): Promise<void> {
  kubelet = new FakeKubelet(rootDir, quiet, script);
  await kubelet.start();
}
export function startPlugins(more: Partial<PluginsOptions> = {}): void {
  plugins = new Plugins({ rootDir, cdiDir, log, ...more });
}

export const ways = ['socket', 'watcher'] as const;

export const name = 'berth.dev/port';
export const port = { name };
export const one = unit('port-1', [node('/dev/null', { number: 'c1:3' })]);

export const healthOf = (resource = name): string[] => Object.values(kubelet.resources.get(resource)?.health ?? {});
export const idsOf = (resource = name): string[] => Object.keys(kubelet.resources.get(resource)?.health ?? {});
export const listsOf = (): number => kubelet.resources.get(name)?.lists ?? 0;
export const advertised = (count: number): Promise<void> =>
  kubelet.until(() => healthOf().filter((health) => health === 'Healthy').length === count);
/** The folder in which sockets of a registration are. */
export const folderOf = (registration: (typeof ways)[number]): string =>
  registration === 'socket' ? kubelet.directory : kubelet.registry;
export const sockets = async (registration: (typeof ways)[number] = 'socket'): Promise<string[]> =>
  (await readdir(folderOf(registration))).filter((file) => file.startsWith('berth-'));
