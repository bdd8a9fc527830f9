/**
 * The devices of the node as a service of the agent: sources → inventory → units → identity → health → front ends. What moves
 * is in engine.ts; here is what it begins with, and what it is told afterwards.
 */
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import type { Registry } from 'prom-client';
import { BerthError, messageOf } from '../kit/errors.ts';
import type { Logger } from '../kit/log.ts';
import { RecentCalls } from '../kit/recentcalls.ts';
import type { Service } from '../kit/service.ts';
import { pluginRegistryDirectory } from '../kubelet/pluginregistration.ts';
import { devicePluginDirectory } from '../kubelet/registration.ts';
import type { ResourceRule } from './config/resource.ts';
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
import { followRulesFolder, readRulesFolder } from './rulesfolder.ts';
import type { FolderContent } from './rulesfolder.ts';
import { compileRules } from './units/compile.ts';
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
  return {
    name: 'devices',
    start: async (signal) => {
      end = new AbortController();
      engine = await startEngine(config, options, { metrics, called }, end.signal);
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

/** Reads everything once, begins to offer it, and follows what changes until `signal`. */
async function startEngine(
  config: DevicesConfig,
  { kubeletRoot, stateDir, log, readsCdi, openEvents = openUevents }: DeviceServiceOptions,
  { metrics, called }: { readonly metrics: DeviceMetrics; readonly called: PluginContext['called'] },
  signal: AbortSignal,
): Promise<DeviceEngine> {
  const memoryFile = join(stateDir, 'devices/identities.json');
  const { memory, warning } = await loadIdentityMemory(memoryFile);
  if (warning !== undefined) log.warn({ event: 'device.memory_lost', path: memoryFile }, warning);
  const folder = config.rulesDir === undefined ? { rules: [] } : await readRulesFolder(config.rulesDir, config);
  // Its problems are told by whoever follows the folder, below.
  const allOf = (content: FolderContent): readonly ResourceRule[] => [
    ...config.resources,
    ...('rules' in content ? content.rules : []),
  ];
  let current = allOf(folder);
  const rules = compileRules(current, config.deny);
  const begun: { engine?: DeviceEngine } = {};
  let source: FollowedInventory;
  try {
    source = await followInventory({
      roots: { ...config, procRoot: '/proc' },
      wants: rules.wants,
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
    ...{ config, kubeletRoot, memoryFile, memory, rules, readsCdi, log, metrics, called },
    inventory: source.inventory,
  });
  begun.engine = engine;
  engine.start();
  if (config.rulesDir !== undefined) {
    const { rulesDir } = config;
    let refused = false;
    followRulesFolder(
      rulesDir,
      config,
      (content) => {
        const wasRefused = refused;
        refused = 'problems' in content;
        metrics.sourceDegraded('rules', refused);
        if ('problems' in content) {
          const { problems } = content;
          log.error(
            { event: 'device.rules_refused', path: rulesDir, problems },
            'the rules have mistakes; those before stay',
          );
          return;
        }
        const kept = keepSame(current, allOf(content));
        if (isSame(kept, current) && !wasRefused) return;
        current = kept;
        const next = compileRules(current, config.deny);
        log.info(
          { event: 'device.rules', path: rulesDir, resources: next.rules.length },
          'rules of devices taken over',
        );
        source.setWants(next.wants);
        engine.setRules(next);
      },
      signal,
    );
  }
  return engine;
}

/** The new rules, those that say what they said before as the objects they were: nothing of them begins anew. */
function keepSame(before: readonly ResourceRule[], after: readonly ResourceRule[]): readonly ResourceRule[] {
  const old = new Map(before.map((rule) => [rule.name, rule]));
  return after.map((rule) => {
    const same = old.get(rule.name);
    return same !== undefined && isDeepStrictEqual(same, rule) ? same : rule;
  });
}

function isSame(one: readonly ResourceRule[], other: readonly ResourceRule[]): boolean {
  return one.length === other.length && one.every((rule, index) => rule === other[index]);
}
