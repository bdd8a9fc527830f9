/** What of a change of devices is worth a line in the log, and a count. */
import type { Logger } from '../kit/log.ts';
import { unprobed } from './health/hysteresis.ts';
import type { DeviceMetrics } from './metrics.ts';
import type { ResourceState, Snapshot, Unit } from './units/unit.ts';

/** Most units that one line names; the others are counted. */
const named = 20;

/** Tells of units that came, went, or changed their health, and of what is wrong with a resource. */
export function reportChanges(before: Snapshot, after: Snapshot, log: Logger, metrics: DeviceMetrics): void {
  for (const [resource, state] of after)
    if (before.get(resource) !== state) reportResource(before.get(resource), state, log.child({ resource }), metrics);
  for (const resource of before.keys())
    if (!after.has(resource))
      log.info({ event: 'device.resource_removed', resource }, 'the resource is no longer offered');
}

type Health = 'healthy' | 'unhealthy' | 'away' | 'unknown';

/** Before its first probe nothing is known of a unit, and nothing is told. */
function healthOf(unit: Unit | undefined): Health {
  if (unit === undefined || unit.unhealthy === unprobed.reason) return 'unknown';
  if (!unit.present) return 'away';
  return unit.unhealthy === undefined ? 'healthy' : 'unhealthy';
}

function reportResource(
  before: ResourceState | undefined,
  after: ResourceState,
  log: Logger,
  metrics: DeviceMetrics,
): void {
  const { name } = after.rule;
  const old = before?.units ?? new Map<string, Unit>();
  const worse: Unit[] = [];
  const better: Unit[] = [];
  for (const unit of after.units.values()) {
    const was = healthOf(old.get(unit.id));
    const is = healthOf(unit);
    // Not each new reason: one with a measured value in it would be told of at every probe.
    if (is === was || is === 'unknown') continue;
    if (is !== 'healthy') worse.push(unit);
    else if (was !== 'unknown') better.push(unit);
    if (was === 'healthy') metrics.healthChanged(name, 'unhealthy');
    else if (is === 'healthy' && was !== 'unknown') metrics.healthChanged(name, 'healthy');
  }
  const added = [...after.units.keys()].filter((id) => !old.has(id));
  const removed = [...old.keys()].filter((id) => !after.units.has(id));
  if (worse.length > 0)
    log.warn(
      {
        event: 'device.unhealthy',
        units: worse.slice(0, named).map(({ id, unhealthy }) => `${id} ${unhealthy ?? ''}`),
        count: worse.length,
      },
      'devices are unhealthy',
    );
  if (better.length > 0)
    log.info(
      { event: 'device.healthy', units: better.slice(0, named).map(({ id }) => id), count: better.length },
      'devices are healthy again',
    );
  if (added.length > 0 || removed.length > 0 || before === undefined)
    log.info(
      {
        event: 'device.changed',
        added: added.slice(0, named),
        removed: removed.slice(0, named),
        units: after.units.size,
      },
      'devices changed',
    );
  if (before?.problems.join('\n') !== after.problems.join('\n') && after.problems.length > 0)
    log.warn(
      { event: 'device.problems', problems: after.problems.slice(0, named), count: after.problems.length },
      'devices were found that cannot be offered',
    );
}
