/** Sessions of resources with a kubelet that does what only a wrong or an old one does. */
import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test, vi } from 'vitest';
import { unit } from '../../deviceplugin/plugin/fake/state.ts';
import type { Unit } from '../../deviceplugin/units/unit.ts';
import type { KubeletScript } from './kubeletscript.ts';
import {
  absentKubelet,
  advertised,
  healthOf,
  kubelet,
  lines,
  listsOf,
  name,
  one,
  plugins,
  port,
  rootDir,
  sockets,
  startKubelet,
  startPlugins,
  ways,
} from './scene.ts';

const broken: Unit = { ...one, unhealthy: 'is broken' };

test.each(ways)('one that never comes: by %s, the session says what it waits for', async (registration) => {
  absentKubelet();
  startPlugins({ registration });
  plugins.set(port, [one]);
  await vi.waitFor(
    () => {
      expect(plugins.notReady()).toContain(
        registration === 'socket'
          ? `nobody answers on ${kubelet.directory}/kubelet.sock`
          : `there is no ${kubelet.registry}`,
      );
    },
    { timeout: 20_000 },
  );
  await kubelet.start();
  await advertised(1);
});

test('up to 1.35, where an old stream’s end kills the new registration: a removed socket still heals', async () => {
  await startKubelet({ oldStreamKillsNew: true });
  startPlugins();
  plugins.set(port, [one]);
  await advertised(1);
  for (let round = 0; round < 3; round++) {
    const before = kubelet.resources.get(name)?.endpoint ?? '';
    await rm(join(kubelet.directory, before));
    await kubelet.until(() => kubelet.resources.get(name)?.endpoint !== before && healthOf().join() === 'Healthy');
  }
});

test('one that wipes its directory and lives on: the session comes back with the next kubelet', async () => {
  await startKubelet();
  startPlugins();
  plugins.set(port, [one]);
  await advertised(1);
  for (const file of await readdir(kubelet.directory)) await rm(join(kubelet.directory, file));
  await vi.waitFor(() => {
    expect(plugins.notReady()).toContain('nobody answers on');
  }, 5_000);
  await kubelet.restart();
  await advertised(1);
});

test.each(ways)(
  'one that refuses for ever: by %s, the reason is told once, one socket at a time',
  async (registration) => {
    const script: KubeletScript = { refuse: 'no room for berth.dev/port' };
    await startKubelet(script);
    startPlugins({ registration, backoff: [0, 5] });
    plugins.set(port, [one]);
    await kubelet.until(() => kubelet.registrations.length >= 10);
    await vi.waitFor(
      () => {
        expect(plugins.notReady()).toContain('no room for berth.dev/port');
      },
      { timeout: 20_000 },
    );
    expect((await sockets(registration)).length).toBeLessThanOrEqual(1);
    expect(new Set(kubelet.registrations.map(({ endpoint }) => endpoint)).size).toBeGreaterThanOrEqual(9);
    expect(lines.filter((line) => line.includes('no room'))).toHaveLength(1);
    delete script.refuse;
    await advertised(1);
  },
);

test('one that registers and never watches is asked again after five seconds', async () => {
  const script: KubeletScript = { neverWatches: true };
  await startKubelet(script);
  startPlugins();
  plugins.set(port, [one]);
  await vi.waitFor(
    () => {
      expect(plugins.notReady()).toContain('has not called ListAndWatch yet');
    },
    { timeout: 20_000 },
  );
  script.neverWatches = false;
  await advertised(1);
  expect(kubelet.registrations).toHaveLength(2);
});

test('one that watches twice gets both lists, and the end of one stream is no loss', async () => {
  await startKubelet({ watchesTwice: true });
  startPlugins();
  plugins.set(port, [one]);
  await kubelet.until(() => listsOf() === 2);
  plugins.set(port, [broken]);
  await kubelet.until(() => healthOf().join() === 'Unhealthy');
  expect(kubelet.registrations).toHaveLength(1);
  expect(plugins.notReady()).toBeUndefined();
});

test('one that stops reading gets the newest list when it reads on, not every one in between', async () => {
  await startKubelet({ stopsReading: true });
  startPlugins();
  // Lists of some 800 kB, of which each lacks a unit that the one before had: what the transport buffers is soon full.
  const many = { ...port, sharing: { replicas: 10_000 } };
  const other = unit('port-2', ['/dev/zero']);
  const rounds = 100;
  for (let round = 0; round < rounds; round++) {
    plugins.set(many, round % 2 === 0 ? [broken, other] : [one, { ...other, unhealthy: 'is broken' }]);
    await vi.waitFor(
      () => {
        expect(plugins.notReady()).toBeUndefined();
      },
      { timeout: 20_000 },
    );
    await new Promise(setImmediate);
  }
  plugins.set(many, [one, other]);
  kubelet.resume();
  await advertised(20_000);
  expect(listsOf()).toBeLessThan(rounds / 2);
});

test('one that stops reading does not hold the stop, also when nothing else limits it', async () => {
  await startKubelet({ stopsReading: true });
  startPlugins();
  const session = plugins.set({ ...port, sharing: { replicas: 10_000 } }, [one]);
  await vi.waitFor(
    () => {
      expect(plugins.notReady()).toBeUndefined();
    },
    { timeout: 20_000 },
  );
  await session.stop(new AbortController().signal, { withdraw: true });
  expect(await sockets()).toEqual([]);
});

test.each<[string, (path: string) => string]>([
  ['localhost (1.26 and later)', () => 'localhost'],
  ['a percent-encoded path', (path) => encodeURIComponent(path)],
  ['a socket name', () => 'berth.sock'],
])('the :authority %s is served', async (_form, authority) => {
  await startKubelet({ authority });
  startPlugins();
  plugins.set(port, [one]);
  await advertised(1);
});

test('the :authority of a raw path, which Node refuses, is a failed registration with its reason', async () => {
  await startKubelet({ authority: (path) => path });
  startPlugins();
  plugins.set(port, [one]);
  await kubelet.until(() => kubelet.registrations.length >= 2);
  await vi.waitFor(
    () => {
      expect(plugins.notReady()).toMatch(
        /is not registered with the kubelet: .*GetDevicePluginOptions.*RST_STREAM with code 1$/,
      );
    },
    { timeout: 20_000 },
  );
});

test('a directory whose paths are too long for a socket is refused at once', async () => {
  await startKubelet();
  startPlugins({ rootDir: join(rootDir, 'x'.repeat(80)) });
  expect(() => plugins.set(port, [one])).toThrow('at most 107 bytes');
});
