/** What the kubelet is told of a resource: which units, how healthy, where. Replicas are counted, not listed, until the encoding. */
import { maxDevicesPerResource } from '../config/section.ts';
import type { ResourceState, Unit } from '../units/unit.ts';
import { deviceId } from './deviceid.ts';

/** A unit as it is advertised. */
export interface Advertised {
  readonly id: string;
  readonly healthy: boolean;
  /** Undefined: the kubelet hears of no place. */
  readonly numaNode: number | undefined;
}

export interface DeviceList {
  readonly units: readonly Advertised[];
  /** How often each unit is in the list. */
  readonly replicas: number;
  /** What was too much for the kubelet, as a sentence. */
  readonly leftOut: string | undefined;
}

export interface ListLimits {
  /** Most units times replicas. */
  readonly devices: number;
  /** Most bytes of the message. */
  readonly bytes: number;
  /** Most characters of an ID. */
  readonly id: number;
}

/** The kubelet takes 4 MiB and drops the resource above it. */
const defaultLimits: ListLimits = { devices: maxDevicesPerResource, bytes: 3.5 * 1024 * 1024, id: 63 };

/** An empty list: nothing is offered, and the kubelet keeps the resource with 0. */
export const noDevices: DeviceList = { units: [], replicas: 1, leftOut: undefined };

/**
 * The list of a resource. `refused` says why a unit that is healthy can be given to nobody all the same. What is too
 * much is left out, whole units from the end: half a unit would change how containers spread.
 */
export function deviceList(
  { rule, units }: ResourceState,
  refused: (unit: Unit) => string | undefined = () => undefined,
  limits: ListLimits = defaultLimits,
): DeviceList {
  const { replicas } = rule.sharing;
  const advertised: Advertised[] = [];
  let bytes = 0;
  let tooLong = 0;
  let full = false;
  for (const unit of units.values()) {
    if (deviceId(unit.id, replicas - 1).length > limits.id) {
      tooLong++;
      continue;
    }
    bytes += replicas * mostBytes(unit.id);
    full = (advertised.length + 1) * replicas > limits.devices || bytes > limits.bytes;
    if (full) break;
    advertised.push({
      id: unit.id,
      healthy: unit.unhealthy === undefined && refused(unit) === undefined,
      numaNode: rule.topology ? unit.numaNode : undefined,
    });
  }
  return {
    units: advertised,
    replicas,
    leftOut: complaint(units.size, replicas, { advertised, tooLong, full, limits }),
  };
}

function complaint(
  found: number,
  replicas: number,
  list: { advertised: readonly Advertised[]; tooLong: number; full: boolean; limits: ListLimits },
): string | undefined {
  const { advertised, tooLong, full, limits } = list;
  const sentences: string[] = [];
  if (full)
    sentences.push(
      `${found} units with ${replicas} replicas each are more than the kubelet can be told of (${limits.devices} devices, ${limits.bytes} bytes): ${advertised.length} are offered; lower sharing.replicas, or divide the resource`,
    );
  if (tooLong > 0) sentences.push(`${tooLong} units have an ID that is too long and are not offered`);
  return sentences.length === 0 ? undefined : sentences.join('; ');
}

/** Most bytes that a replica of a unit takes in the message: ID, health, topology and the lengths of each. */
function mostBytes(unit: string): number {
  return unit.length + 44;
}

/** Whether the kubelet would read the same. */
export function sameList(one: DeviceList, other: DeviceList): boolean {
  return (
    one === other ||
    (one.replicas === other.replicas &&
      one.units.length === other.units.length &&
      one.units.every((unit, at) => sameUnit(unit, other.units[at])))
  );
}

function sameUnit(one: Advertised, other: Advertised | undefined): boolean {
  return other !== undefined && one.id === other.id && one.healthy === other.healthy && one.numaNode === other.numaNode;
}

/** Whether something that could be given to a container no longer can: the kubelet must hear of that at once. */
export function losesDevices(before: DeviceList, after: DeviceList): boolean {
  if (after.replicas < before.replicas) return true;
  const left = new Set(after.units.filter(({ healthy }) => healthy).map(({ id }) => id));
  return before.units.some(({ id, healthy }) => healthy && !left.has(id));
}
