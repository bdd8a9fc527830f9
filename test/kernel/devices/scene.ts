/** A device service as the agent runs it, with a scripted kubelet, in a folder that is gone afterwards. */
import { mkdtemp, realpath, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Registry } from 'prom-client';
import { afterEach, beforeEach } from 'vitest';
import { devicesSection } from '../../../deviceplugin/config/section.ts';
import { createDeviceService } from '../../../deviceplugin/service.ts';
import type { DeviceServiceOptions } from '../../../deviceplugin/service.ts';
import { createLogger } from '../../../kit/log.ts';
import type { Service } from '../../../kit/service.ts';
import { FakeKubelet } from '../../kubelet/fakekubelet.ts';
import type { KubeletScript } from '../../kubelet/kubeletscript.ts';

/** What the service has logged. */
export let lines: { readonly event: string; readonly msg?: string }[] = [];
/** The kubelet's root, the state and the CDI folder are in it. */
export let folder = '';
export let kubelet: FakeKubelet;
export let service: Service;
export let registry: Registry;
let stopped: boolean;

beforeEach(async () => {
  folder = await realpath(await mkdtemp(join(tmpdir(), 'berth-d-')));
  lines = [];
  stopped = true;
  kubelet = new FakeKubelet(folder, createLogger('error', { write: () => undefined }));
});
afterEach(async () => {
  await stopService();
  await kubelet.stop();
  await rm(folder, { recursive: true });
});

export async function startKubelet(script: KubeletScript = {}): Promise<void> {
  Object.assign(kubelet.script, script);
  await kubelet.start();
}

/** Starts the service; what the configuration leaves out lies in the folder. */
export async function startService(config: object, more: Partial<DeviceServiceOptions> = {}): Promise<void> {
  registry = new Registry();
  const section = devicesSection.parse({ cdiDir: join(folder, 'cdi'), ...config });
  const write = (line: string): void => {
    lines.push(JSON.parse(line) as { event: string });
  };
  service = createDeviceService(section, {
    kubeletRoot: folder,
    stateDir: join(folder, 'state'),
    log: createLogger('info', { write }),
    registry,
    ...more,
  });
  stopped = false;
  await service.start(AbortSignal.timeout(60_000));
}

export async function stopService(): Promise<void> {
  if (!stopped) await service.stop(AbortSignal.timeout(2_000));
  stopped = true;
}

/** IDs that the kubelet has of a resource, without their replicas' numbers, and their health. */
export function healthOf(resource: string): Readonly<Record<string, string>> {
  const known = Object.entries(kubelet.resources.get(resource)?.health ?? {});
  return Object.fromEntries(known.map(([id, health]) => [id.replace(/::\d+$/, ''), health]));
}

export function idsOf(resource: string): readonly string[] {
  return Object.keys(healthOf(resource));
}

/** Resolves when the kubelet has so many healthy devices of a resource, and no other. */
export async function healthy(resource: string, count: number): Promise<void> {
  await kubelet.until(() => {
    const all = Object.values(kubelet.resources.get(resource)?.health ?? {});
    return all.length === count && all.every((health) => health === 'Healthy');
  });
}

/** What the resource's paths are in a container that gets these IDs. */
export async function pathsGiven(resource: string, ids: readonly string[]): Promise<readonly string[]> {
  const answer = await kubelet.allocate(
    resource,
    ids.map((id) => `${id}::0`),
  );
  const [paths] = Object.entries(answer?.envs ?? {}).filter(([name]) => name.endsWith('_PATHS'));
  return paths?.[1].split(',') ?? [];
}
