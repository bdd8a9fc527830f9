/** The tables that conclusions rest on. Pure. */
import { sizeText } from '../../commands/cells.ts';
import type { EventObject } from '../objects.ts';
import { unitsOf } from './devices.ts';
import type { Evidence, FleetSight, Obstacle } from './sight.ts';

/** A section without rows is none. */
function section(
  title: string,
  headings: readonly string[],
  rows: readonly (readonly string[])[],
): readonly Evidence[] {
  return rows.length === 0 ? [] : [{ title, headings, rows }];
}

export function nodesEvidence(
  nodes: readonly { readonly node: string; readonly obstacles: readonly Obstacle[] }[],
): readonly Evidence[] {
  const rows = nodes.flatMap(({ node, obstacles }) =>
    obstacles.length === 0
      ? [[node, '', 'nothing is in the way']]
      : obstacles.map(({ about, text }) => [node, about, text]),
  );
  return section('What is in the way on each node', ['NODE', 'WANTED', 'WHY NOT'], rows);
}

export function unitsEvidence(resources: readonly string[], { devices }: FleetSight): readonly Evidence[] {
  const rows = devices.flatMap((told) =>
    'error' in told
      ? resources.length === 0
        ? []
        : [[told.node, '', '', '', '', '', told.error]]
      : resources.flatMap((resource) =>
          unitsOf(told.answer.items, resource).map(({ id, health, replicas, holders, reason }) => [
            told.node,
            resource,
            id,
            health,
            `${holders.length}/${replicas}`,
            holders.map(({ namespace, pod }) => `${namespace}/${pod}`).join(','),
            reason,
          ]),
        ),
  );
  return section('Devices', ['NODE', 'RESOURCE', 'ID', 'HEALTH', 'USED', 'HOLDERS', 'REASON'], rows);
}

export function poolsEvidence({ pools }: FleetSight): readonly Evidence[] {
  const rows = pools.flatMap((told) => {
    if ('error' in told) return [[told.node, '', '', '', '', told.error]];
    return (told.answer.items ?? []).flatMap((pool) =>
      pool.kind === 'storage'
        ? [[told.node, pool.name, pool.engine, sizeText(pool.size), sizeText(pool.available), pool.reason]]
        : [],
    );
  });
  return section('Pools', ['NODE', 'POOL', 'ENGINE', 'SIZE', 'AVAILABLE', 'REASON'], rows);
}

const mostEvents = 10;

export function eventsEvidence(events: readonly EventObject[], about: string): readonly Evidence[] {
  const rows = byTime(events)
    .slice(-mostEvents)
    .map((event) => [timeOf(event), event.type ?? '', event.reason ?? '', event.message ?? '']);
  return section(`Events about ${about}`, ['LAST SEEN', 'TYPE', 'REASON', 'MESSAGE'], rows);
}

/** What went wrong last, as the event tells it. */
export function latestWarning(events: readonly EventObject[]): string | undefined {
  const warning = byTime(events).findLast(({ type, reason }) => type === 'Warning' && reason !== 'FailedScheduling');
  return warning === undefined ? undefined : `${warning.reason ?? 'Warning'}: ${warning.message ?? ''}`;
}

function byTime(events: readonly EventObject[]): readonly EventObject[] {
  return events.toSorted((a, b) => (timeOf(a) < timeOf(b) ? -1 : 1));
}

function timeOf({ lastTimestamp, eventTime, metadata }: EventObject): string {
  return (lastTimestamp ?? eventTime ?? metadata.creationTimestamp ?? '').replace(/\.\d+Z$/, 'Z');
}
