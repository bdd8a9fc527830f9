/**
 * The devices of the node as a service of the agent: sources → inventory → units → identity → health → front ends. What moves
 * is in engine.ts; here is what it begins with, and what it is told afterwards.
 */
import { join } from 'node:path';
import type { Registry } from 'prom-client';
import { BerthError, messageOf } from '../kit/errors.ts';
import type { Logger } from '../kit/log.ts';
import { RecentCalls } from '../kit/recentcalls.ts';
import type { Service } from '../kit/service.ts';
import { pluginRegistryDirectory } from '../kubelet/pluginregistration.ts';
import { devicePluginDirectory } from '../kubelet/registration.ts';
import type { DevicesConfig } from './config/section.ts';
import { DeviceEngine } from './engine.ts';
import { followInventory } from './inventory/follow.ts';
import type { FollowedInventory } from './inventory/follow.ts';
import { openUevents } from '../linux/uevents.ts';
import type { UeventOptions } from '../linux/uevents.ts';
import { createDeviceMetrics } from './metrics.ts';
import type { DeviceMetrics } from './metrics.ts';
import type { PluginContext } from './plugin/plugin.ts';
import { removeStaleSockets } from './plugin/socketnames.ts';
import { noteCall } from './recent.ts';
import { RulesInForce } from './rulesinforce.ts';
import type { RuleSettings } from './rulesinforce.ts';
import { explainNode } from './units/explain.ts';
import { loadIdentityMemory } from './units/identitymemory.ts';
import { deviceViews, inventoryViews } from './views.ts';

export interface DeviceServiceOptions {
  /** The kubelet's root directory. */
  readonly kubeletRoot: string;
  /** The agent's folder for what must outlive a reboot. */
  readonly stateDir: string;
  readonly log: Logger;
  readonly registry: Registry;
  /** Whether the container runtime reads CDI files; asked until it answers. Without it nobody knows, and `auto` does without. */
  readonly readsCdi?: (signal: AbortSignal) => Promise<boolean>;
  /** Calls back with other rules of the configuration, which are taken over while the service runs. */
  readonly onRules?: (changed: (settings: RuleSettings) => void) => void;
  /** Opens the kernel's events; tests of recorded machines raise their own. Default `openUevents`. */
  readonly openEvents?: (options: UeventOptions) => void;
}

/** The service behind the `devices` section. Starting needs /dev and sysfs only; the kubelet may come, go and come again. */
export function createDeviceService(config: DevicesConfig, options: DeviceServiceOptions): Service {
  const metrics = createDeviceMetrics(options.registry);
  const recent = new RecentCalls();
  const called: PluginContext['called'] = (resource, call) => {
    noteCall(recent, resource, call);
  };
  let end = new AbortController();
  let engine: DeviceEngine | undefined;
  const rules = new RulesInForce(config, {
    log: options.log,
    refused: (isRefused) => {
      metrics.sourceDegraded('rules', isRefused);
    },
  });
  options.onRules?.((settings) => {
    rules.use(settings);
  });
  return {
    name: 'devices',
    start: async (signal) => {
      end = new AbortController();
      engine = await startEngine(config, options, { metrics, called, rules }, end.signal);
      if (signal.aborted) end.abort();
    },
    stop: async (deadline) => {
      end.abort();
      await engine?.stop(deadline);
      engine = undefined;
    },
    notReady: () => (engine === undefined ? 'not started' : engine.notReady()),
    views: {
      devices: () =>
        engine === undefined ? [] : deviceViews(engine.snapshot, (resource, id) => engine?.held.of(resource, id) ?? []),
      registrations: () => engine?.registrations ?? [],
      calls: () => recent.list(),
      inventory: () => (engine === undefined ? [] : inventoryViews(engine.inventory, engine.snapshot)),
      explain: (of) => (engine === undefined ? [] : [explainNode(engine.rules, engine.inventory, of)]),
    },
  };
}

interface EngineSurroundings {
  readonly metrics: DeviceMetrics;
  readonly called: PluginContext['called'];
  readonly rules: RulesInForce;
}

/** Reads everything once, begins to offer it, and follows what changes until `signal`. */
async function startEngine(
  config: DevicesConfig,
  { kubeletRoot, stateDir, log, readsCdi, openEvents = openUevents }: DeviceServiceOptions,
  { metrics, called, rules }: EngineSurroundings,
  signal: AbortSignal,
): Promise<DeviceEngine> {
  const memoryFile = join(stateDir, 'devices/identities.json');
  const { memory, warning } = await loadIdentityMemory(memoryFile);
  if (warning !== undefined) log.warn({ event: 'device.memory_lost', path: memoryFile }, warning);
  const compiled = await rules.read();
  const begun: { engine?: DeviceEngine } = {};
  let source: FollowedInventory;
  try {
    source = await followInventory({
      roots: { ...config, procRoot: '/proc' },
      wants: compiled.wants,
      log,
      signal,
      onChange: ({ inventory, cause, since }) => {
        begun.engine?.setInventory(inventory, cause === 'event' ? since : undefined);
      },
      openEvents: ({ onEvent, ...events }) => {
        openEvents({
          ...events,
          onEvent: (event) => {
            metrics.hotplug(event.action, event.subsystem);
            onEvent(event);
          },
        });
      },
    });
  } catch (thrown) {
    throw new BerthError(
      'IO_FAILED',
      `reading the devices of ${config.devRoot} and ${config.sysRoot}: ${messageOf(thrown)}`,
      {
        cause: thrown,
      },
    );
  }
  metrics.sourceDegraded('uevents', source.degraded !== undefined);
  // In both, for the agent before may have had the other way: the plugin watcher goes on dialling what lies there.
  for (const directory of [devicePluginDirectory, pluginRegistryDirectory])
    await removeStaleSockets(join(kubeletRoot, directory), log);
  const engine = new DeviceEngine({
    ...{ config, kubeletRoot, memoryFile, memory, rules: compiled, readsCdi, log, metrics, called },
    inventory: source.inventory,
  });
  begun.engine = engine;
  engine.start();
  rules.follow(
    compiled,
    (next) => {
      source.setWants(next.wants);
      engine.setRules(next);
    },
    signal,
  );
  return engine;
}
