/** Devices: what is advertised exists, with the IDs that this hardware in this place always has. Pure. */
import { unitId } from '../../../deviceplugin/units/unitid.ts';
import { differences } from './compare.ts';

export interface NodeDevices {
  /** What is configured, by resource: paths without wildcards, and how many containers may have each. */
  readonly resources: readonly {
    readonly name: string;
    readonly paths: readonly string[];
    readonly replicas: number;
  }[];
  /** Those of these paths that are on the node. */
  readonly present: readonly string[];
  /** Healthy units that the kubelet was told of, by resource. */
  readonly registered: Readonly<Record<string, readonly string[]>>;
  /** Units that the Node object offers, by resource; absent for one it does not offer. */
  readonly allocatable: Readonly<Record<string, number>>;
  /** Units that the agent itself counts as healthy, by resource. */
  readonly healthy: Readonly<Record<string, number>>;
}

export function deviceViolations(node: NodeDevices): readonly string[] {
  return node.resources.flatMap(({ name, paths, replicas }) => {
    const units = paths
      .filter((path) => node.present.includes(path))
      .flatMap((path) => Array.from({ length: replicas }, (_, replica) => `${unitId('path', path)}::${replica}`));
    const counts = { 'the Node offers': node.allocatable[name] ?? 0, 'the agent counts': node.healthy[name] ?? 0 };
    return [
      ...differences(`unit of ${name}`, units, `registered unit of ${name}`, node.registered[name] ?? []),
      ...Object.entries(counts)
        .filter(([, counted]) => counted !== units.length)
        .map(([who, counted]) => `${who} ${counted} units of ${name}, there are ${units.length}`),
    ];
  });
}
