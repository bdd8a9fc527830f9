/** What a container gets for the device IDs the kubelet chose: a pure look-up in the current state. */
import { BerthError } from '../../kit/errors.ts';
import type { CDIDevice } from '../../protos/types/v1beta1/CDIDevice.ts';
import type { ContainerAllocateResponse } from '../../protos/types/v1beta1/ContainerAllocateResponse.ts';
import type { DeviceSpec } from '../../protos/types/v1beta1/DeviceSpec.ts';
import type { ResourceState, Unit } from '../units/unit.ts';
import { cdiDeviceName } from './cdispec.ts';
import { containerEdits } from './containeredits.ts';
import type { UnitEdits } from './containeredits.ts';
import { unitIdOf } from './deviceid.ts';
import { hasSerialAlone, injectionOf } from './injection.ts';
import type { CdiReach } from './injection.ts';
import { lastingLink } from './namedpath.ts';

/**
 * The answer for one container. The kubelet keeps it and repeats it at every restart of the container, so nothing in it is
 * a path that another device may have tomorrow, where that can be avoided. Throws NOT_FOUND, FAILED_PRECONDITION, or
 * UNAVAILABLE; the message ends up in the pod's status.
 */
export function allocate(state: ResourceState, ids: readonly string[], cdi: CdiReach): ContainerAllocateResponse {
  const { rule } = state;
  const units = usableUnits(state, ids);
  const edits = containerEdits(rule, units);
  const ways = edits.units.map((each) => ({ ...each, way: injectionOf(state, each.unit, cdi) }));
  const named = ways.filter(({ way }) => way === 'cdi');
  for (const { unit } of named) {
    const problem = cdi.problemOf(rule.name, unit.id);
    if (problem !== undefined)
      throw new BerthError('UNAVAILABLE', `${rule.name}: ${describe(unit)} cannot be given by CDI: ${problem}`);
  }
  const devices = new Map<string, DeviceSpec>();
  const given = new Set(named.flatMap(({ nodes }) => nodes.map(({ containerPath }) => containerPath)));
  const others = ways.filter(({ way }) => way === 'devicespec');
  for (const each of others)
    for (const spec of deviceSpecs(state, each))
      if (!given.has(spec.container_path)) devices.set(spec.container_path, spec);
  const mounts = new Map(others.flatMap((each) => each.mounts).map((mount) => [mount.containerPath, mount]));
  return {
    envs: edits.env,
    annotations: edits.annotations,
    devices: [...devices.values()],
    mounts: [...mounts.values()].map(({ hostPath, containerPath, readOnly }) => ({
      host_path: hostPath,
      container_path: containerPath,
      read_only: readOnly,
    })),
    cdi_devices: named.map(({ unit }): CDIDevice => ({ name: cdiDeviceName(rule.name, unit.id, units.length === 1) })),
  };
}

function deviceSpecs(state: ResourceState, { unit, nodes }: UnitEdits): (DeviceSpec & { container_path: string })[] {
  const { rule } = state;
  const alone = hasSerialAlone(state, unit);
  return nodes.map(({ node, containerPath }) => ({
    // The runtime resolves a link each time it makes the container.
    host_path: lastingLink(rule, node, alone) ?? node.path,
    container_path: containerPath,
    permissions: rule.permissions,
  }));
}

/** The units of device IDs, once each, in order. */
function usableUnits({ rule, units }: ResourceState, ids: readonly string[]): readonly Unit[] {
  const counts = new Map<string, number>();
  for (const id of ids) counts.set(unitIdOf(id), (counts.get(unitIdOf(id)) ?? 0) + 1);
  const { replicas, maxPerContainer } = rule.sharing;
  return [...counts].map(([id, count]) => {
    const unit = units.get(id);
    if (unit === undefined)
      throw new BerthError('NOT_FOUND', `${rule.name}: this node has no device "${id}" (any more)`);
    if (unit.unhealthy !== undefined)
      throw new BerthError(
        'FAILED_PRECONDITION',
        `${rule.name}: ${describe(unit)} cannot be used: it ${unit.unhealthy}`,
      );
    if (count > maxPerContainer)
      throw new BerthError(
        'FAILED_PRECONDITION',
        `${rule.name}: a container would get ${count} of the ${replicas} replicas of ${describe(unit)}, and sharing.maxPerContainer is ${maxPerContainer}: more of them give it no more of the device; ask for less`,
      );
    return unit;
  });
}

/** A unit for a person: its ID and its first node. */
function describe({ id, members }: Unit): string {
  return `${id} (${members.map(({ node }) => node.path)[0] ?? 'no node'})`;
}
