/** What a node has of the devices that a pod asks for, and who holds them. Pure. */
import type { DeviceView } from '../../../deviceplugin/views.ts';
import type { Told } from '../agents.ts';
import type { NodeObject, PodSpec } from '../objects.ts';
import type { Obstacle } from './sight.ts';

/** How many of each extended resource the pod asks for: containers together, or the most of one that runs before them. */
export function askedResources({ containers = [], initContainers = [] }: PodSpec): ReadonlyMap<string, number> {
  const asked = new Map<string, number>();
  const each = (container: (typeof containers)[number]): (readonly [string, number])[] =>
    Object.entries(container.resources?.limits ?? {})
      .filter(([name]) => name.includes('/') && !/(^|\.)kubernetes\.io\//.test(name))
      .map(([name, count]) => [name, Number(count)]);
  const [beside, before] = [
    [...containers, ...initContainers.filter(({ restartPolicy }) => restartPolicy === 'Always')],
    initContainers.filter(({ restartPolicy }) => restartPolicy !== 'Always'),
  ];
  for (const [name, count] of beside.flatMap(each)) asked.set(name, (asked.get(name) ?? 0) + count);
  for (const [name, count] of before.flatMap(each)) asked.set(name, Math.max(asked.get(name) ?? 0, count));
  return asked;
}

/** Why the node cannot give so many of the resource; undefined when it can, or when somebody else's plugin has them. */
export function deviceObstacle(
  resource: string,
  wanted: number,
  node: NodeObject,
  told: Told<{ readonly items?: readonly DeviceView[] }> | undefined,
): Obstacle | undefined {
  const about = resource;
  const units = told !== undefined && 'answer' in told ? unitsOf(told.answer.items, resource) : [];
  if (units.length > 0) {
    const free = freeOf(units);
    return free >= wanted ? undefined : { about, text: shortage(units, free, wanted) };
  }
  const allocatable = Number(node.status?.allocatable?.[resource] ?? 0);
  if (allocatable >= wanted) return undefined;
  if (told !== undefined && 'error' in told) return { about, text: `cannot be asked: ${told.error}` };
  return { about, text: allocatable > 0 ? `has ${allocatable}, ${wanted} asked` : 'has none' };
}

export function unitsOf(items: readonly DeviceView[] | undefined, resource: string): readonly DeviceView[] {
  return (items ?? []).filter((unit) => unit.resource === resource);
}

/** Shares of healthy devices that nobody holds. */
export function freeOf(units: readonly DeviceView[]): number {
  return units
    .filter(({ health }) => health === 'Healthy')
    .reduce((sum, { replicas, holders }) => sum + Math.max(0, replicas - holders.length), 0);
}

/** `has 1, held by shop/old`, `has 2: usb-1 is unhealthy (it is gone); …`. */
export function shortage(units: readonly DeviceView[], free: number, wanted?: number): string {
  const shares = units.reduce((sum, { replicas }) => sum + replicas, 0);
  const count = shares === units.length ? `has ${units.length}` : `has ${units.length} with ${shares} shares`;
  const holders = [
    ...new Set(units.flatMap((unit) => unit.holders.map(({ namespace, pod }) => `${namespace}/${pod}`))),
  ];
  const ill = units.filter(({ health }) => health !== 'Healthy');
  return [
    count,
    ...(free > 0 ? [`${free} free${wanted === undefined ? '' : `, ${wanted} asked`}`] : []),
    ...(holders.length > 0 ? [`held by ${listed(holders)}`] : []),
    ...ill.slice(0, 3).map(({ id, reason }) => `${id} is unhealthy: ${reason}`),
    ...(ill.length > 3 ? [`${ill.length - 3} more are unhealthy`] : []),
  ].join(', ');
}

function listed(names: readonly string[]): string {
  return names.length <= 4 ? names.join(' and ') : `${names.slice(0, 3).join(', ')} and ${names.length - 3} more`;
}
