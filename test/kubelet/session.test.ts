/** The device service against a scripted kubelet, with real sockets and real device nodes (needs root for mknod). */
import { execFileSync } from 'node:child_process';
import { link, mkdir, mkdtemp, readdir, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Registry } from 'prom-client';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { devicesSection } from '../../deviceplugin/config.ts';
import { createDeviceService } from '../../deviceplugin/service.ts';
import { createLogger } from '../../kit/log.ts';
import type { Service } from '../../kit/service.ts';
import { FakeKubelet } from './fakekubelet.ts';
import type { KubeletScript } from './fakekubelet.ts';

const log = createLogger('error', { write: () => undefined });
let rootDir = '';
let devRoot = '';
let kubelet: FakeKubelet;
let service: Service | undefined;
let registry: Registry;

beforeEach(async () => {
  rootDir = await mkdtemp(join(tmpdir(), 'berth-k-'));
  devRoot = await mkdtemp(join(tmpdir(), 'berth-dev-'));
});
afterEach(async () => {
  await service?.stop(AbortSignal.timeout(1_000));
  service = undefined;
  await kubelet.stop();
  await rm(rootDir, { recursive: true });
  await rm(devRoot, { recursive: true });
});

/** A character device of a major number no driver has: it is never opened here. */
function makeNode(name: string, minor: number): void {
  execFileSync('mknod', [join(devRoot, name), 'c', '240', String(minor)]);
}

async function startKubelet(script: KubeletScript = {}): Promise<void> {
  kubelet = new FakeKubelet(rootDir, log, script);
  await kubelet.start();
}

async function startService(resources: object[] = [port], more: object = { devRoot }): Promise<Service> {
  registry = new Registry();
  const config = devicesSection.parse({ resources, ...more });
  service = createDeviceService(config, { kubeletRoot: rootDir, log, registry, rescanMs: 3_600_000 });
  await service.start(new AbortController().signal);
  return service;
}

const port = { name: 'berth.dev/port', paths: ['/dev/port*'] };
const healthOf = (resource = 'berth.dev/port'): string[] =>
  Object.values(kubelet.resources.get(resource)?.health ?? {});
const idsOf = (resource = 'berth.dev/port'): string[] => Object.keys(kubelet.resources.get(resource)?.health ?? {});
const advertised = (count: number): Promise<void> =>
  kubelet.until(() => healthOf().filter((health) => health === 'Healthy').length === count);
const sockets = async (): Promise<string[]> =>
  (await readdir(kubelet.directory)).filter((name) => name.startsWith('berth-'));

describe('with a good kubelet', () => {
  test('devices of the host are advertised and allocated with the host’s path', async () => {
    await startKubelet();
    const names = { null: '/dev/null', zero: '/dev/zero' };
    await startService(
      Object.entries(names).map(([name, path]) => ({ name: `berth.dev/${name}`, paths: [path], count: 2 })),
      {},
    );
    await kubelet.until(() => idsOf('berth.dev/null').length === 2 && idsOf('berth.dev/zero').length === 2);
    expect(service?.notReady()).toBeUndefined();
    expect(await kubelet.allocate('berth.dev/null', idsOf('berth.dev/null').slice(0, 1))).toEqual({
      envs: {
        DEVICES_BERTH_DEV_NULL_PATHS: '/dev/null',
        DEVICES_BERTH_DEV_NULL_IDS: idsOf('berth.dev/null')[0],
      },
      mounts: [],
      devices: [{ container_path: '/dev/null', host_path: '/dev/null', permissions: 'rw' }],
      annotations: {},
      cdi_devices: [],
    });
    await expect(kubelet.allocate('berth.dev/null', ['other'])).rejects.toThrow('this node has no device "other"');
    const metrics = await registry.metrics();
    expect(metrics).toContain('berth_device_devices{resource="berth.dev/null",health="healthy"} 2');
    expect(metrics).toContain('berth_device_allocations_total{resource="berth.dev/null",result="failed"} 1');
    expect(metrics).toContain('berth_device_kubelet_session_state{resource="berth.dev/zero",state="streaming"} 1');
  });

  test('a node that goes is unhealthy and refused, and healthy again when it is back; nothing else is sent', async () => {
    makeNode('port0', 0);
    await startKubelet();
    await startService();
    await advertised(1);
    const ids = idsOf();
    await writeFile(join(devRoot, 'unrelated'), '');
    await rm(join(devRoot, 'port0'));
    await kubelet.until(() => healthOf().join() === 'Unhealthy');
    expect(idsOf()).toEqual(ids);
    await expect(kubelet.allocate('berth.dev/port', ids)).rejects.toThrow(
      'berth.dev/port: /dev/port0 cannot be used: it is gone from the node',
    );
    makeNode('port0', 0);
    await advertised(1);
    makeNode('port1', 1);
    await advertised(2);
    expect(kubelet.resources.get('berth.dev/port')?.lists).toBe(4);
  });

  test('a link is given as it is; one that leads out of /dev, and a file, are not offered', async () => {
    makeNode('ttyX0', 0);
    await mkdir(join(devRoot, 'by-id'));
    await symlink('../ttyX0', join(devRoot, 'by-id/good'));
    await symlink('/dev/null', join(devRoot, 'by-id/outside'));
    await writeFile(join(devRoot, 'by-id/file'), '');
    await startKubelet();
    await startService([{ ...port, paths: ['/dev/by-id/*'] }]);
    await advertised(1);
    expect((await kubelet.allocate('berth.dev/port', idsOf()))?.devices).toEqual([
      { host_path: '/dev/by-id/good', container_path: '/dev/by-id/good', permissions: 'rw' },
    ]);
  });

  test('many resources register one after another, also those without a device', async () => {
    await startKubelet();
    const many = Array.from({ length: 20 }, (_, n) => ({ name: `berth.dev/port${n}`, paths: [`/dev/port${n}`] }));
    makeNode('port7', 7);
    await startService(many);
    await kubelet.until(
      () => kubelet.resources.size === 20 && [...kubelet.resources.values()].every(({ lists }) => lists > 0),
    );
    expect(kubelet.mostRegistering).toBe(1);
    expect(healthOf('berth.dev/port7')).toEqual(['Healthy']);
  });

  test('stopping ends the stream without an empty list and removes the socket', async () => {
    makeNode('port0', 0);
    await startKubelet();
    await startService();
    await advertised(1);
    await service?.stop(AbortSignal.timeout(1_000));
    expect(kubelet.resources.get('berth.dev/port')?.lists).toBe(1);
    expect(await sockets()).toEqual([]);
  });

  test('sockets of a killed agent are removed, those of others stay', async () => {
    await startKubelet();
    const dead = join(kubelet.directory, 'berth-0badcafe-1.sock');
    const foreign = join(kubelet.directory, 'other.sock');
    for (const path of [dead, foreign]) {
      const server = createServer();
      await new Promise<void>((resolve) => server.listen(path, resolve));
      await link(path, `${path}.kept`);
      await new Promise((resolve) => server.close(resolve));
      await rename(`${path}.kept`, path);
    }
    await startService();
    await kubelet.until(() => kubelet.resources.get('berth.dev/port')?.lists === 1);
    expect((await readdir(kubelet.directory)).filter((name) => !name.startsWith('berth-'))).toEqual([
      'kubelet.sock',
      'other.sock',
    ]);
    expect(await sockets()).toHaveLength(1);
    expect(await sockets()).not.toContain('berth-0badcafe-1.sock');
  });
});

describe('a session that is lost is made anew under a new socket name', () => {
  test.each<[string, () => Promise<void> | void]>([
    ['the kubelet restarts', () => kubelet.restart()],
    [
      'the kubelet is gone for a while',
      async () => {
        await kubelet.stop();
        await vi.waitFor(() => {
          expect(service?.notReady()).toContain('nobody answers on');
        }, 5_000);
        await kubelet.start();
      },
    ],
    [
      'our socket is removed',
      async () => {
        await rm(join(kubelet.directory, kubelet.resources.get('berth.dev/port')?.endpoint ?? ''));
      },
    ],
    [
      'the kubelet ends the stream',
      () => {
        kubelet.endStream('berth.dev/port');
      },
    ],
    [
      'the directory is wiped and made again',
      async () => {
        await rm(kubelet.directory, { recursive: true });
        await kubelet.restart();
      },
    ],
    [
      'the kubelet restarts five times in a row',
      async () => {
        for (let n = 0; n < 5; n++) await kubelet.restart();
      },
    ],
  ])('%s', async (_what, happens) => {
    makeNode('port0', 0);
    await startKubelet();
    await startService();
    await advertised(1);
    const before = kubelet.resources.get('berth.dev/port')?.endpoint;
    const ids = idsOf();
    await happens();
    await kubelet.until(
      () => kubelet.resources.get('berth.dev/port')?.endpoint !== before && healthOf().join() === 'Healthy',
    );
    expect(idsOf()).toEqual(ids);
    expect(await sockets()).toHaveLength(1);
    await vi.waitFor(() => {
      expect(service?.notReady()).toBeUndefined();
    });
  });
});

describe('with a kubelet that misbehaves', () => {
  test('one that never comes: the service starts, and says what it waits for', async () => {
    kubelet = new FakeKubelet(rootDir, log);
    await startService();
    await vi.waitFor(() => {
      expect(service?.notReady()).toContain(`nobody answers on ${kubelet.directory}/kubelet.sock`);
    });
    await kubelet.start();
    await kubelet.until(() => kubelet.resources.get('berth.dev/port')?.lists === 1);
  });

  test('up to 1.35, where an old stream’s end kills the new registration: a removed socket still heals', async () => {
    makeNode('port0', 0);
    await startKubelet({ oldStreamKillsNew: true });
    await startService();
    await advertised(1);
    for (let round = 0; round < 3; round++) {
      const before = kubelet.resources.get('berth.dev/port')?.endpoint ?? '';
      await rm(join(kubelet.directory, before));
      await kubelet.until(
        () => kubelet.resources.get('berth.dev/port')?.endpoint !== before && healthOf().join() === 'Healthy',
      );
    }
  });

  test('one that refuses: the reason is told, and the registration is tried again', async () => {
    const script: KubeletScript = { refuse: 'no room for berth.dev/port' };
    await startKubelet(script);
    await startService();
    await kubelet.until(() => kubelet.registrations.length >= 2);
    await vi.waitFor(() => {
      expect(service?.notReady()).toContain('no room for berth.dev/port');
    });
    delete script.refuse;
    await kubelet.until(() => kubelet.resources.get('berth.dev/port')?.lists === 1);
  });

  test('one that registers and never watches is asked again after five seconds', async () => {
    const script: KubeletScript = { neverWatches: true };
    await startKubelet(script);
    await startService();
    await vi.waitFor(() => {
      expect(service?.notReady()).toContain('has not called ListAndWatch yet');
    });
    script.neverWatches = false;
    await kubelet.until(() => kubelet.resources.get('berth.dev/port')?.lists === 1);
    expect(kubelet.registrations).toHaveLength(2);
  });

  test('one that stops reading gets the newest list when it reads on, not every one in between', async () => {
    makeNode('port0', 0);
    await startKubelet({ stopsReading: true });
    // A list of some 400 kB: what the transport buffers of it is soon full.
    await startService([{ ...port, count: 9_000 }]);
    await vi.waitFor(() => {
      expect(service?.notReady()).toBeUndefined();
    });
    for (let round = 0; round < 40; round++) {
      const { promise: seen, resolve } = Promise.withResolvers<undefined>();
      void vi
        .waitFor(async () => {
          const text = await registry.metrics();
          expect(text).toContain(`health="${round % 2 === 0 ? 'unhealthy' : 'healthy'}"} 9000`);
        }, 5_000)
        .then(() => {
          resolve(undefined);
        });
      if (round % 2 === 0) await rm(join(devRoot, 'port0'));
      else makeNode('port0', 0);
      await seen;
    }
    makeNode('port1', 1);
    await vi.waitFor(async () => {
      expect(await registry.metrics()).toContain('health="healthy"} 18000');
    }, 5_000);
    kubelet.resume();
    await advertised(18_000);
    // The client's own stream takes 16 messages before it stops the transport; the other half was never sent.
    expect(kubelet.resources.get('berth.dev/port')?.lists).toBeLessThan(25);
  });

  test('one that stops reading does not hold the stop, also when nothing else limits it', async () => {
    makeNode('port0', 0);
    await startKubelet({ stopsReading: true });
    await startService([{ ...port, count: 9_000 }]);
    await vi.waitFor(() => {
      expect(service?.notReady()).toBeUndefined();
    });
    await service?.stop(new AbortController().signal);
    expect(await sockets()).toEqual([]);
  });

  test.each<[string, (path: string) => string]>([
    ['localhost (1.26 and later)', () => 'localhost'],
    ['a percent-encoded path', (path) => encodeURIComponent(path)],
    ['a socket name', () => 'berth.sock'],
  ])('the :authority %s is served', async (_form, authority) => {
    await startKubelet({ authority });
    await startService();
    await kubelet.until(() => kubelet.resources.get('berth.dev/port')?.lists === 1);
  });

  test('the :authority of a raw path, which Node refuses, is a failed registration with its reason', async () => {
    await startKubelet({ authority: (path) => path });
    await startService();
    await kubelet.until(() => kubelet.registrations.length >= 2);
    await vi.waitFor(() => {
      expect(service?.notReady()).toMatch(
        /is not registered with the kubelet: .*GetDevicePluginOptions.*RST_STREAM with code 1$/,
      );
    });
  });
});
