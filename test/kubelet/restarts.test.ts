/** Restarts of the kubelet in a row leave nothing behind. */
import { readdir } from 'node:fs/promises';
import { expect, test, vi } from 'vitest';
import { advertised, idsOf, kubelet, one, plugins, port, sockets, startKubelet, startPlugins } from './scene.ts';

test.each(['socket', 'watcher'] as const)(
  'by %s, a kubelet that has just started is approached at once, however soon those before it ended',
  async (registration) => {
    await startKubelet();
    startPlugins({ registration, backoff: [0, 3_600_000] });
    plugins.set(port, [one]);
    for (let n = 0; n < 5; n++) {
      await advertised(1);
      await kubelet.restart();
    }
    await advertised(1);
    await plugins.stop();
  },
);

/** Open descriptors, and what keeps the event loop busy. */
const resources = async (): Promise<Record<string, number>> => {
  const counts: Record<string, number> = { descriptors: (await readdir('/proc/self/fd')).length };
  for (const kind of process.getActiveResourcesInfo())
    if (/Pipe|FSEvent|TCP/.test(kind)) counts[kind] = (counts[kind] ?? 0) + 1;
  return counts;
};

test.each([
  ['socket', 1_000],
  ['watcher', 200],
] as const)(
  'by %s, %i restarts of the kubelet in a row end registered and correct',
  async (registration, restarts) => {
    await startKubelet();
    startPlugins({ registration, backoff: [0] });
    plugins.set(port, [one]);
    const registered = async (): Promise<void> => {
      await advertised(1);
      await vi.waitFor(
        () => {
          expect(plugins.notReady()).toBeUndefined();
        },
        { timeout: 20_000 },
      );
    };
    // The first few, until every cache is filled.
    for (let n = 0; n < 5; n++) {
      await registered();
      await kubelet.restart();
    }
    await registered();
    const before = await resources();
    for (let n = 0; n < restarts; n++) {
      // Every third time in the middle of whatever the session does.
      if (n % 3 !== 0) await registered();
      await kubelet.restart();
    }
    await registered();
    expect(idsOf()).toEqual(['port-1::0']);
    expect(await sockets(registration)).toHaveLength(1);
    await vi.waitFor(async () => {
      const more = Object.entries(await resources()).filter(([kind, count]) => count > (before[kind] ?? 0));
      expect(more).toEqual([]);
    }, 10_000);
    await plugins.stop();
    expect(await sockets('watcher')).toEqual([]);
    expect(await sockets()).toEqual([]);
  },
  300_000,
);
