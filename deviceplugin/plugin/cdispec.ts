/**
 * The text of a CDI file: one per resource, one device per unit. Runtimes refuse a file that uses what its version does not
 * have, and old ones refuse new versions, so the version is always the least that is needed.
 */
import { createHash } from 'node:crypto';
import { messageOf } from '../../kit/errors.ts';
import type { ResourceRule } from '../config/resource.ts';
import type { ResourceState, Unit } from '../units/unit.ts';
import { containerEdits } from './containeredits.ts';
import type { ContainerEdits } from './containeredits.ts';
import { isPluggable, mayUseCdi } from './injection.ts';

export interface CdiSpec {
  /** Whether units of the resource are given by CDI at all. */
  readonly possible: boolean;
  /** Undefined where no unit is there to be written: there must be no file then. */
  readonly text: string | undefined;
  /** The units that are in it. */
  readonly units: ReadonlySet<string>;
  /** Why others are not, by unit. */
  readonly problems: ReadonlyMap<string, string>;
}

/** Files in the CDI folder are ours by this prefix. */
export const cdiPrefix = 'berth-';

/** Longest name of a file, less the `.json` and what a temporary name adds. */
const maxFileName = 200;

/** What is wrong with a resource name as a CDI kind, or undefined. One of two letters is the shortest that all runtimes parse. */
export function problemOfKind(resource: string): string | undefined {
  return /^[A-Za-z][A-Za-z0-9._-]*[A-Za-z0-9]\/[A-Za-z][A-Za-z0-9._-]*[A-Za-z0-9]$/.test(resource)
    ? undefined
    : `${resource} is no CDI kind: both parts must begin with a letter and have at least two characters`;
}

/** The name of a resource's file. A domain has no "_", so two resources never share one. */
export function cdiFileName(resource: string): string {
  const name = cdiPrefix + resource.replace('/', '_');
  if (name.length <= maxFileName) return `${name}.json`;
  const hash = createHash('sha256').update(resource).digest('hex').slice(0, 16);
  return `${name.slice(0, maxFileName - hash.length - 1)}-${hash}.json`;
}

/**
 * The qualified name of a unit's device. One with its variables is for a container that has no other unit; `alone` false
 * names one with the nodes only, for the variables of several units in one container are lists that no file can know.
 */
export function cdiDeviceName(resource: string, unit: string, alone: boolean): string {
  return `${resource}=${alone ? unit : unit + nodesOnly}`;
}

const nodesOnly = ':nodes';

const known = new WeakMap<ResourceState, CdiSpec>();

/** The file of a resource as it has to be now; made once for each state. */
export function cdiSpec(state: ResourceState): CdiSpec {
  let spec = known.get(state);
  if (spec === undefined) known.set(state, (spec = makeSpec(state)));
  return spec;
}

function makeSpec({ rule, units }: ResourceState): CdiSpec {
  const possible = mayUseCdi(rule) && (rule.injection === 'cdi' || problemOfKind(rule.name) === undefined);
  const problems = new Map<string, string>();
  const written: { readonly unit: Unit; readonly edits: ContainerEdits }[] = [];
  if (possible)
    for (const unit of units.values()) {
      if (!unit.present || (rule.injection === 'auto' && !isPluggable(unit))) continue;
      const edits = editsOf(rule, unit);
      if (typeof edits === 'string') problems.set(unit.id, edits);
      else written.push({ unit, edits });
    }
  const devices = written.flatMap(({ unit, edits }) => [
    device(unit.id, rule, edits, edits.env),
    device(unit.id + nodesOnly, rule, edits, {}),
  ]);
  const spec = { cdiVersion: leastVersion(rule.name, written), kind: rule.name, devices };
  return {
    possible,
    text: devices.length === 0 ? undefined : `${JSON.stringify(spec)}\n`,
    units: new Set(written.map(({ unit }) => unit.id)),
    problems,
  };
}

function editsOf(rule: ResourceRule, unit: Unit): ContainerEdits | string {
  const kind = problemOfKind(rule.name);
  if (kind !== undefined) return kind;
  if (!/^[A-Za-z0-9]([A-Za-z0-9._:-]*[A-Za-z0-9])?$/.test(unit.id)) return `${unit.id} is no name of a CDI device`;
  try {
    return containerEdits(rule, [unit]);
  } catch (thrown) {
    return messageOf(thrown);
  }
}

function device(name: string, { permissions }: ResourceRule, edits: ContainerEdits, env: ContainerEdits['env']) {
  const nodes = edits.units.flatMap((unit) => unit.nodes);
  const mounts = edits.units.flatMap((unit) => unit.mounts);
  const variables = Object.entries(env).map(([variable, value]) => `${variable}=${value}`);
  return {
    name,
    containerEdits: {
      ...(variables.length === 0 ? {} : { env: variables }),
      // The node itself, never a link: the runtime takes no link for a device node.
      deviceNodes: nodes.map(({ node, containerPath }) => ({
        path: containerPath,
        ...(containerPath === node.path ? {} : { hostPath: node.path }),
        permissions,
      })),
      ...(mounts.length === 0
        ? {}
        : {
            mounts: mounts.map(({ hostPath, containerPath, readOnly }) => ({
              hostPath,
              containerPath,
              options: ['rbind', 'nosuid', 'nodev', readOnly ? 'ro' : 'rw'],
            })),
          }),
    },
  };
}

/** 0.5.0 brought `hostPath` and names that begin with a digit, 0.6.0 dots in the class. */
function leastVersion(resource: string, units: readonly { unit: Unit; edits: ContainerEdits }[]): string {
  if (resource.slice(resource.indexOf('/')).includes('.')) return '0.6.0';
  const nodes = units.flatMap(({ edits }) => edits.units.flatMap((unit) => unit.nodes));
  const needs =
    units.some(({ unit }) => /^\d/.test(unit.id)) ||
    nodes.some(({ node, containerPath }) => containerPath !== node.path);
  return needs ? '0.5.0' : '0.3.0';
}
