/** What a container gets for units: nodes with their paths in it, mounts, variables, annotations. Not yet by which way. */
import { BerthError } from '../../kit/errors.ts';
import { environmentPart } from '../config/resourcename.ts';
import type { ResourceRule } from '../config/resource.ts';
import { fillIn } from '../config/template.ts';
import type { TemplateValues } from '../config/template.ts';
import type { DevNode } from '../inventory/inventory.ts';
import type { Unit } from '../units/unit.ts';
import { containerPath, lastPart, problemOfDevicePath, problemOfPath } from './containerpath.ts';
import { namedPath } from './namedpath.ts';

export interface NodeEdit {
  readonly node: DevNode;
  readonly containerPath: string;
  /** Whether it comes with the unit and is none of its members. */
  readonly companion: boolean;
}

export interface MountEdit {
  readonly hostPath: string;
  readonly containerPath: string;
  readonly readOnly: boolean;
}

/** What one unit brings. */
export interface UnitEdits {
  readonly unit: Unit;
  readonly nodes: readonly NodeEdit[];
  readonly mounts: readonly MountEdit[];
  /** Values by name, in the order of the members; several where they differ. */
  readonly env: ReadonlyMap<string, readonly string[]>;
  readonly annotations: ReadonlyMap<string, readonly string[]>;
}

/** What all units of a container bring together. */
export interface ContainerEdits {
  readonly units: readonly UnitEdits[];
  readonly env: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
}

/** What a unit brings; `index` is its position among those of the container. Throws FAILED_PRECONDITION for a path that must not be. */
function unitEdits(rule: ResourceRule, unit: Unit, index: number): UnitEdits {
  const { container } = rule;
  const nodes: NodeEdit[] = [];
  const env = new Map<string, string[]>();
  const annotations = new Map<string, string[]>();
  const mounts = new Map<string, MountEdit>();
  for (const { role, node } of unit.members) {
    const path = namedPath(rule, node);
    const host = { id: unit.id, index: String(index), name: lastPart(path), path, resource: rule.name, role };
    const inside = containerPath(rule, host);
    refuse(rule, node, `its path in the container, ${JSON.stringify(inside)},`, problemOfDevicePath(inside));
    nodes.push({ node, containerPath: inside, companion: false });
    const values = { ...host, path: inside };
    fillAll(container.env, values, env);
    fillAll(container.annotations, values, annotations);
    for (const { hostPath, containerPath: target, readOnly } of container.mounts) {
      const mount = { hostPath: fillIn(hostPath, values), containerPath: fillIn(target, values), readOnly };
      for (const each of [mount.hostPath, mount.containerPath])
        refuse(rule, node, `the mount ${JSON.stringify(each)}`, problemOfPath(each));
      addMount(rule, mounts, mount);
    }
  }
  // What belongs to no unit stays where programs look for it.
  for (const node of unit.companions) nodes.push({ node, containerPath: namedPath(rule, node), companion: true });
  return { unit, nodes, mounts: [...mounts.values()], env, annotations };
}

/** Puts units together, in their order. Throws FAILED_PRECONDITION where one would hide another. */
export function containerEdits(rule: ResourceRule, units: readonly Unit[]): ContainerEdits {
  const each = units.map((unit, index) => unitEdits(rule, unit, index));
  const nodes = new Map<string, DevNode>();
  const mounts = new Map<string, MountEdit>();
  for (const edits of each) {
    for (const { node, containerPath: path } of edits.nodes) {
      const there = nodes.get(path);
      if (there !== undefined && there.number !== node.number)
        throw new BerthError(
          'FAILED_PRECONDITION',
          `${rule.name}: ${there.path} and ${node.path} would both be ${path} in the container; let container.path end in "/" or contain {{index}}`,
        );
      nodes.set(path, node);
    }
    for (const mount of edits.mounts) addMount(rule, mounts, mount);
  }
  const env = { ...joined(each.map((edits) => edits.env)), ...ownVariables(rule, each) };
  for (const [name, value] of Object.entries(env))
    if (Buffer.byteLength(value) > maxVariableBytes)
      throw new BerthError(
        'FAILED_PRECONDITION',
        `${rule.name}: the variable ${name} would have ${Buffer.byteLength(value)} bytes, and the kernel starts no program with more than ${maxVariableBytes}; ask for fewer devices`,
      );
  return { units: each, env, annotations: joined(each.map((edits) => edits.annotations)) };
}

/** MAX_ARG_STRLEN less a generous name. */
const maxVariableBytes = 128 * 1024 - 512;

/**
 * `DEVICES_<RESOURCE>_PATHS` (in the container), `_IDS` and, where known, `_NUMA`, comma separated. The kubelet merges the
 * answers of a container's resources by name and keeps a random one: hence the resource in it.
 */
function ownVariables({ name, topology }: ResourceRule, units: readonly UnitEdits[]): Record<string, string> {
  const prefix = `DEVICES_${environmentPart(name)}`;
  const paths = units.flatMap(({ nodes }) => nodes.filter(({ companion }) => !companion));
  const numa = units.map(({ unit }) => unit.numaNode);
  return {
    [`${prefix}_PATHS`]: [...new Set(paths.map((node) => node.containerPath))].join(','),
    [`${prefix}_IDS`]: units.map(({ unit }) => unit.id).join(','),
    ...(topology && numa.some((node) => node !== undefined) ? { [`${prefix}_NUMA`]: numa.join(',') } : {}),
  };
}

/** Values of one name from several units: different ones become a comma list, in order. */
function joined(maps: readonly ReadonlyMap<string, readonly string[]>[]): Record<string, string> {
  const all = new Map<string, Set<string>>();
  for (const map of maps)
    for (const [name, values] of map)
      for (const value of values) all.set(name, (all.get(name) ?? new Set()).add(value));
  return Object.fromEntries([...all].map(([name, values]) => [name, [...values].join(',')]));
}

function fillAll(
  templates: Readonly<Record<string, string>>,
  values: TemplateValues,
  into: Map<string, string[]>,
): void {
  for (const [name, template] of Object.entries(templates)) {
    const before = into.get(name) ?? [];
    const value = fillIn(template, values);
    into.set(name, before.includes(value) ? before : [...before, value]);
  }
}

function addMount(rule: ResourceRule, mounts: Map<string, MountEdit>, mount: MountEdit): void {
  const there = mounts.get(mount.containerPath);
  if (there !== undefined && there.hostPath !== mount.hostPath)
    throw new BerthError(
      'FAILED_PRECONDITION',
      `${rule.name}: ${there.hostPath} and ${mount.hostPath} would both be mounted at ${mount.containerPath}`,
    );
  mounts.set(mount.containerPath, mount);
}

function refuse({ name }: ResourceRule, node: DevNode, what: string, problem: string | undefined): void {
  if (problem === undefined) return;
  throw new BerthError('FAILED_PRECONDITION', `${name}: ${node.path} cannot be given: ${what} ${problem}`);
}
