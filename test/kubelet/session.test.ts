/** Sessions of resources with a good kubelet, scripted, over real sockets. */
import { readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeEach, describe, expect, test, vi } from 'vitest';
import { unit } from '../../deviceplugin/plugin/fake/state.ts';
import type { Unit } from '../../deviceplugin/units/unit.ts';
import {
  advertised,
  cdiDir,
  folderOf,
  healthOf,
  idsOf,
  kubelet,
  listsOf,
  name,
  one,
  plugins,
  port,
  sockets,
  startKubelet,
  startPlugins,
  ways,
} from './scene.ts';

const broken: Unit = { ...one, unhealthy: 'is broken' };

describe.each(ways)('registered by %s, with a good kubelet', (registration) => {
  beforeEach(async () => {
    await startKubelet();
    startPlugins({ registration });
  });

  test('units are advertised, chosen, allocated and looked at before the start', async () => {
    const rule = { ...port, sharing: { replicas: 2 }, injection: 'cdi' };
    plugins.set(rule, [one, unit('port-2', ['/dev/zero'])]);
    await advertised(4);
    expect(kubelet.resources.get(name)?.options).toEqual({
      pre_start_required: true,
      get_preferred_allocation_available: true,
    });
    await vi.waitFor(
      () => {
        expect(plugins.notReady()).toBeUndefined();
      },
      { timeout: 20_000 },
    );
    const chosen = [...(await kubelet.preferred(name, 2))];
    expect(chosen).toEqual(['port-1::0', 'port-2::0']);
    expect(await kubelet.allocate(name, ['port-1::0'])).toMatchObject({
      envs: { DEVICES_BERTH_DEV_PORT_PATHS: '/dev/null', DEVICES_BERTH_DEV_PORT_IDS: 'port-1' },
      devices: [],
      cdi_devices: [{ name: 'berth.dev/port=port-1' }],
    });
    expect(plugins.allocated).toEqual(['port-1::0']);
    expect(await readFile(join(cdiDir, 'berth-berth.dev_port.json'), 'utf8')).toContain('"path":"/dev/null"');
    await kubelet.preStart(name, ['port-1::0']);
    await expect(kubelet.preStart(name, ['port-2::0'])).rejects.toThrow('/dev/zero of port-2 is another device now');
    await expect(kubelet.allocate(name, ['other::0'])).rejects.toThrow('this node has no device "other"');
    const metrics = await plugins.registry.metrics();
    expect(metrics).toContain('berth_device_allocations_total{resource="berth.dev/port",result="failed"} 1');
    expect(metrics).toContain('berth_device_kubelet_session_state{resource="berth.dev/port",state="streaming"} 1');
    expect(metrics).toContain('berth_device_listandwatch_messages_total{resource="berth.dev/port"} 1');
  });

  test('a unit that fails is unhealthy and refused, and healthy again when it is; nothing else is sent', async () => {
    plugins.set(port, [one]);
    await advertised(1);
    plugins.set(port, [{ ...one, lineage: ['/devices/x'] }]);
    plugins.set(port, [broken]);
    await kubelet.until(() => healthOf().join() === 'Unhealthy');
    await expect(kubelet.allocate(name, idsOf())).rejects.toThrow('port-1 (/dev/null) cannot be used: it is broken');
    plugins.set(port, [one]);
    await advertised(1);
    plugins.set(port, [one, unit('port-2', ['/dev/zero'])]);
    await advertised(2);
    expect(listsOf()).toBe(4);
  });

  test('a unit that its rule gives by CDI only, while that cannot be, is unhealthy', async () => {
    plugins.set({ ...port, injection: 'cdi' }, [one, unit('-odd-', ['/dev/zero'])]);
    await kubelet.until(() => healthOf().length === 2);
    expect(kubelet.resources.get(name)?.health).toEqual({ 'port-1::0': 'Healthy', '-odd-::0': 'Unhealthy' });
    await rm(cdiDir, { recursive: true });
    await writeFile(cdiDir, 'no folder');
    await plugins.cdi.refresh();
    await kubelet.until(() => healthOf().join() === 'Unhealthy,Unhealthy');
    await expect(kubelet.allocate(name, ['port-1::0'])).rejects.toThrow('its file cannot be written');
    await expect(kubelet.preStart(name, ['port-1::0'])).rejects.toThrow(
      'the CDI file of its devices is not as they are',
    );
    await rm(cdiDir);
    await advertised(1);
  });

  test('stopping ends the stream without an empty list and removes the socket', async () => {
    plugins.set(port, [one]);
    await advertised(1);
    await plugins.stop();
    expect(listsOf()).toBe(1);
    expect(await sockets(registration)).toEqual([]);
  });

  test('a resource that leaves the configuration is withdrawn with an empty list; the others stay', async () => {
    const other = { name: 'berth.dev/other' };
    const session = plugins.set(port, [one]);
    plugins.set(other, [one]);
    await advertised(1);
    await kubelet.until(() => idsOf('berth.dev/other').length === 1);
    await session.stop(AbortSignal.timeout(10_000), { withdraw: true });
    await kubelet.until(() => listsOf() === 2);
    expect(idsOf()).toEqual([]);
    expect(idsOf('berth.dev/other')).toEqual(['port-1::0']);
    expect(session.notReady()).toContain('the session has ended');
  });

  test('many resources register, also those without a unit', async () => {
    for (let n = 0; n < 20; n++) plugins.set({ name: `berth.dev/port${n}` }, n === 7 ? [one] : []);
    await kubelet.until(
      () => kubelet.resources.size === 20 && [...kubelet.resources.values()].every(({ lists }) => lists > 0),
    );
    expect(kubelet.mostRegistering).toBeLessThanOrEqual(1);
    expect(healthOf('berth.dev/port7')).toEqual(['Healthy']);
  });
});

describe.each(ways)('registered by %s, a session that is lost is made anew under a new socket name', (registration) => {
  const cases: [string, () => Promise<void> | void][] = [
    ['the kubelet restarts', () => kubelet.restart()],
    [
      'our socket is removed',
      async () => {
        const endpoint = kubelet.resources.get(name)?.endpoint ?? '';
        await rm(join(folderOf(registration), endpoint));
      },
    ],
    [
      'the kubelet ends the stream',
      () => {
        kubelet.endStream(name);
      },
    ],
    [
      'the directory is removed and made again',
      async () => {
        await rm(folderOf(registration), { recursive: true });
        await kubelet.restart();
      },
    ],
    [
      'the kubelet restarts five times in a row',
      async () => {
        for (let n = 0; n < 5; n++) await kubelet.restart();
      },
    ],
  ];
  test.each(cases)('%s', async (_what, happens) => {
    await startKubelet();
    startPlugins({ registration, backoff: [0, 50] });
    plugins.set(port, [one]);
    await advertised(1);
    const before = kubelet.resources.get(name)?.endpoint;
    await happens();
    await kubelet.until(() => kubelet.resources.get(name)?.endpoint !== before && healthOf().join() === 'Healthy');
    expect(idsOf()).toEqual(['port-1::0']);
    await vi.waitFor(
      async () => {
        expect(plugins.notReady()).toBeUndefined();
        expect(await sockets(registration)).toHaveLength(1);
      },
      { timeout: 20_000 },
    );
  });
});
