/** By which way the nodes of a unit get into a container: named to the kubelet, or by a CDI file that follows the device. */
import type { ResourceRule } from '../config/resource.ts';
import { uses } from '../config/template.ts';
import type { ResourceState, Unit } from '../units/unit.ts';
import { lastingLink } from './namedpath.ts';

/** What is known of CDI at the moment. */
export interface CdiReach {
  /** Whether the container runtime reads CDI files, as far as the agent can tell. */
  readonly available: boolean;
  /** Why a unit cannot be named by its CDI device now; undefined when it can. */
  problemOf(resource: string, unit: string): string | undefined;
}

/**
 * The way for a unit. The kubelet keeps the answer and repeats it for years, so `auto` prefers what will still be right
 * after replugging: a link that lasts, else CDI for what can be plugged, else the plain path.
 */
export function injectionOf(state: ResourceState, unit: Unit, cdi: CdiReach): 'cdi' | 'devicespec' {
  const { rule } = state;
  if (rule.injection !== 'auto') return rule.injection;
  if (!mayUseCdi(rule) || !cdi.available || !isPluggable(unit)) return 'devicespec';
  const alone = hasSerialAlone(state, unit);
  if (unit.members.every(({ node }) => lastingLink(rule, node, alone) !== undefined)) return 'devicespec';
  return cdi.problemOf(rule.name, unit.id) === undefined ? 'cdi' : 'devicespec';
}

/** Whether units of a rule may be given by CDI. A file is written before a container asks, so it knows no `{{index}}`. */
export function mayUseCdi({ injection, container }: ResourceRule): boolean {
  const templates = [
    container.path ?? '',
    ...Object.values(container.env),
    ...Object.values(container.annotations),
    ...container.mounts.flatMap(({ hostPath, containerPath }) => [hostPath, containerPath]),
  ];
  return injection !== 'devicespec' && !templates.some((template) => uses(template, 'index'));
}

/** Whether a unit is behind a USB port and may come back with another number. */
export function isPluggable({ lineage, members }: Unit): boolean {
  return [...lineage, ...members.map(({ node }) => node.device ?? '')].some((devpath) => /\/usb\d+\//.test(devpath));
}

/** Whether the unit has a serial number and no other unit of the resource has the same. */
export function hasSerialAlone({ units }: ResourceState, { id, identities }: Unit): boolean {
  if (identities.serial === undefined) return false;
  for (const other of units.values())
    if (other.id !== id && other.identities.serial === identities.serial) return false;
  return true;
}
