/** The device plugin as a service of the agent: inventory → units → one kubelet session per resource. */
import { lstat, readdir, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import type { Registry } from 'prom-client';
import { BerthError, messageOf } from '../kit/errors.ts';
import { KeyedLock } from '../kit/keyedlock.ts';
import type { Logger } from '../kit/log.ts';
import type { Service } from '../kit/service.ts';
import { devicePluginDirectory } from '../kubelet/registration.ts';
import { answers } from '../protos/serve.ts';
import type { DevicesConfig } from './config.ts';
import { readInventory, watchInventory } from './inventory.ts';
import { Latest } from './latest.ts';
import { matchDevices, parseResources } from './matching.ts';
import type { ResourceState, Snapshot } from './matching.ts';
import { createDeviceMetrics } from './metrics.ts';
import { socketPrefix, startSession } from './session.ts';
import type { Session } from './session.ts';

export interface DeviceServiceOptions {
  /** The kubelet's root directory. */
  readonly kubeletRoot: string;
  readonly log: Logger;
  readonly registry: Registry;
  /** Milliseconds between two complete looks at /dev, beside the events. Default 5 s. */
  readonly rescanMs?: number;
}

/** The service behind the `devices` section. Starting needs /dev only; the kubelet may come, go and come again. */
export function createDeviceService(config: DevicesConfig, options: DeviceServiceOptions): Service {
  const { log } = options;
  const resources = parseResources(config.resources);
  const globs = resources.flatMap((resource) => resource.globs);
  const directory = join(options.kubeletRoot, devicePluginDirectory);
  const metrics = createDeviceMetrics(options.registry);
  const registrations = new KeyedLock();
  let snapshot: Snapshot | undefined;
  let end = new AbortController();
  const states = new Map<string, Latest<ResourceState>>();
  let sessions: readonly Session[] = [];

  const look = async (): Promise<void> => {
    const before = snapshot;
    snapshot = matchDevices(resources, await readInventory(config.devRoot, globs), before);
    metrics.snapshot(snapshot);
    for (const [name, state] of snapshot) {
      logChange(log, before?.get(name), state);
      const latest = states.get(name);
      if (latest === undefined) states.set(name, new Latest(state));
      else latest.set(state);
    }
  };

  return {
    name: 'devices',

    start: async (signal) => {
      end = new AbortController();
      try {
        await look();
      } catch (thrown) {
        throw new BerthError('IO_FAILED', `reading ${config.devRoot}: ${messageOf(thrown)}`, { cause: thrown });
      }
      await removeStaleSockets(directory, log);
      signal.throwIfAborted();
      let complained: string | undefined;
      const lookAgain = async (): Promise<void> => {
        try {
          await look();
          complained = undefined;
        } catch (thrown) {
          const reason = messageOf(thrown);
          const line = { event: 'device.look_failed', reason };
          if (reason !== complained) log.error(line, 'looking for devices failed; the devices known stay advertised');
          complained = reason;
        }
      };
      watchInventory(config.devRoot, globs, lookAgain, { signal: end.signal, pollMs: options.rescanMs ?? 5_000 });
      sessions = [...states.values()].map((latest) => startSession({ latest, directory, registrations, log, metrics }));
    },

    stop: async (deadline) => {
      end.abort();
      await Promise.all(sessions.map((session) => session.stop(deadline)));
      sessions = [];
    },

    notReady: () => {
      if (sessions.length === 0) return 'not started';
      const reasons = sessions.map((session) => session.notReady()).filter((reason) => reason !== undefined);
      return reasons.length === 0 ? undefined : reasons.join('; ');
    },
  };
}

/** One line when the number of devices, their health or what is wrong with them has changed. */
function logChange(log: Logger, before: ResourceState | undefined, { name, units, problems }: ResourceState): void {
  const gone = [...units.values()].filter(({ unhealthy }) => unhealthy !== undefined).map(({ path }) => path);
  const line = { event: 'device.changed', resource: name, devices: units.size, gone: [...new Set(gone)], problems };
  const old = before === undefined ? undefined : [...before.units.values()];
  const same =
    old?.length === units.size &&
    old.every((unit) => units.get(unit.id)?.unhealthy === unit.unhealthy) &&
    before?.problems.join() === problems.join();
  if (same) return;
  if (gone.length > 0 || problems.length > 0) log.warn(line, 'devices changed');
  else log.info(line, 'devices changed');
}

/** Removes sockets that a killed agent left: those with our prefix that nobody answers. */
async function removeStaleSockets(directory: string, log: Logger): Promise<void> {
  const names = await readdir(directory).catch(() => []);
  for (const name of names.filter((candidate) => candidate.startsWith(socketPrefix) && candidate.endsWith('.sock'))) {
    const path = join(directory, name);
    if (!(await lstat(path).catch(() => undefined))?.isSocket() || (await answers(path))) continue;
    await unlink(path).catch(() => undefined);
    log.info({ event: 'device.socket_removed', path }, 'removed the socket of an agent that has ended');
  }
}
