/** Which device becomes which unit of which resource: pure, from the configuration, the inventory and what was before. */
import { maxUnitsPerResource } from './config.ts';
import type { ResourceConfig } from './config.ts';
import { matchesPath, parseGlob } from './glob.ts';
import type { PathGlob } from './glob.ts';
import { deviceId } from './identity.ts';
import type { Inventory } from './inventory.ts';

/** One advertised device: a node, or one of its replicas. */
export interface Unit {
  readonly id: string;
  /** Path on the host; a link stays a link, for the runtime resolves it at each container's creation. */
  readonly path: string;
  readonly containerPath: string;
  /** Why it cannot be used now; undefined when it can. */
  readonly unhealthy: string | undefined;
}

export interface ResourceState {
  readonly name: string;
  readonly permissions: string;
  /** By ID, in the order of advertisement. */
  readonly units: ReadonlyMap<string, Unit>;
  /** What was found but is not offered, as sentences. */
  readonly problems: readonly string[];
}

/** By resource name. */
export type Snapshot = ReadonlyMap<string, ResourceState>;

/** A resource of the configuration with its patterns parsed. */
export interface Resource extends Omit<ResourceConfig, 'paths'> {
  readonly globs: readonly PathGlob[];
}

/** Parses the patterns of a validated configuration. */
export function parseResources(resources: readonly ResourceConfig[]): readonly Resource[] {
  return resources.map(({ paths, ...resource }) => ({
    ...resource,
    globs: paths.map(parseGlob).filter((glob) => typeof glob !== 'string'),
  }));
}

/**
 * A device belongs to the first resource, and there to the first pattern, that finds it: offered twice it would be
 * given to two pods. One that is gone stays advertised, Unhealthy: taking an ID away while a pod holds it makes the
 * kubelet count wrong.
 */
export function matchDevices(
  resources: readonly Resource[],
  { nodes, misfits }: Inventory,
  previous?: Snapshot,
): Snapshot {
  const owners = new Map<string, string>();
  const states = resources.map((resource): [string, ResourceState] => {
    const problems: string[] = [];
    const paths = new Set<string>();
    for (const glob of resource.globs) {
      for (const { path, reason } of misfits) if (matchesPath(glob, path)) problems.push(`${path} ${reason}`);
      for (const { path, device } of nodes) {
        if (!matchesPath(glob, path)) continue;
        const owner = owners.get(device);
        if (owner === undefined) {
          owners.set(device, resource.name);
          paths.add(path);
        } else if (owner !== resource.name) problems.push(`${path} belongs to ${owner} already`);
      }
    }
    const before = previous?.get(resource.name)?.units.values() ?? [];
    const gone = new Set([...before].map(({ path }) => path).filter((path) => !paths.has(path)));
    const units = [
      ...[...paths].flatMap((path) => unitsOf(resource, path, undefined)),
      ...[...gone].flatMap((path) => unitsOf(resource, path, 'it is gone from the node')),
    ];
    if (units.length > maxUnitsPerResource)
      problems.push(
        `${units.length} devices are more than the ${maxUnitsPerResource} that can be advertised; lower count`,
      );
    const offered = units.slice(0, maxUnitsPerResource).map((unit): [string, Unit] => [unit.id, unit]);
    const { name, permissions } = resource;
    return [name, { name, permissions, units: new Map(offered), problems }];
  });
  return new Map(states);
}

function unitsOf({ count, containerPath }: Resource, path: string, unhealthy: string | undefined): Unit[] {
  const target = containerPath?.endsWith('/') ? containerPath + path.slice(path.lastIndexOf('/') + 1) : containerPath;
  return Array.from({ length: count }, (_, replica) => ({
    id: deviceId(path, replica),
    path,
    containerPath: target ?? path,
    unhealthy,
  }));
}
