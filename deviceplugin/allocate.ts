/** What a container gets for the device IDs the kubelet chose: a pure look-up in the current state. */
import { BerthError } from '../kit/errors.ts';
import type { ContainerAllocateResponse } from '../protos/types/v1beta1/ContainerAllocateResponse.ts';
import type { ResourceState, Unit } from './matching.ts';
import { environmentPart } from './resourcename.ts';

/**
 * Device nodes and the variables `DEVICES_<RESOURCE>_PATHS` (paths in the container) and `DEVICES_<RESOURCE>_IDS`, comma
 * separated in the same order. Throws NOT_FOUND or FAILED_PRECONDITION; the message ends up in the pod's status.
 */
export function allocate(resource: ResourceState, ids: readonly string[]): ContainerAllocateResponse {
  const units = ids.map((id) => usable(resource, id));
  const nodes = new Map<string, Unit>();
  for (const unit of units) {
    // Several replicas of one device are one node in the container.
    const there = nodes.get(unit.containerPath);
    if (there !== undefined && there.path !== unit.path)
      throw new BerthError(
        'FAILED_PRECONDITION',
        `${resource.name}: ${there.path} and ${unit.path} would both be ${unit.containerPath} in the container; give them resources with different containerPath`,
      );
    nodes.set(unit.containerPath, unit);
  }
  // The kubelet merges the answers of a container's resources by name and keeps a random one: hence the resource in it.
  const prefix = `DEVICES_${environmentPart(resource.name)}`;
  return {
    envs: {
      [`${prefix}_PATHS`]: [...nodes.keys()].join(','),
      [`${prefix}_IDS`]: units.map(({ id }) => id).join(','),
    },
    devices: [...nodes.values()].map(({ path, containerPath }) => ({
      host_path: path,
      container_path: containerPath,
      permissions: resource.permissions,
    })),
  };
}

function usable(resource: ResourceState, id: string): Unit {
  const unit = resource.units.get(id);
  if (unit === undefined)
    throw new BerthError('NOT_FOUND', `${resource.name}: this node has no device "${id}" (any more)`);
  if (unit.unhealthy !== undefined)
    throw new BerthError('FAILED_PRECONDITION', `${resource.name}: ${unit.path} cannot be used: ${unit.unhealthy}`);
  return unit;
}
