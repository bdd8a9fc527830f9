/** What the ways of finding units share: the facts, who has which node already, and what is denied. */
import { matchesPath } from '../config/pathglob.ts';
import type { DeviceNumber } from '../inventory/inventory.ts';
import type { CompiledRules } from './compile.ts';
import type { DeviceFacts, Facts, NodeFacts } from './facts.ts';
import type { Identities, IdentityReader } from './identities.ts';
import type { Problems } from './problems.ts';

/** The search of one resource. */
export interface Search {
  readonly resource: string;
  readonly facts: Facts;
  readonly identities: IdentityReader;
  /** Why only an exact path finds a node, as a sentence without a subject; undefined where every rule may. */
  readonly denial: (node: NodeFacts) => string | undefined;
  /** The resource that found a node first. */
  readonly owners: Map<DeviceNumber, string>;
  readonly problems: Problems;
}

/** Nodes that are one unit, before it is known whether what comes with it is there. */
export interface Finding {
  readonly members: readonly { readonly role: string; readonly node: NodeFacts }[];
  readonly identities: Identities;
  /** Devices whose place is the unit's place. */
  readonly places: readonly DeviceFacts[];
}

/** Whether nobody else has a node; who has it is said. */
export function isFree({ resource, owners, problems }: Search, { node }: NodeFacts): boolean {
  const owner = owners.get(node.number);
  if (owner === undefined || owner === resource) return true;
  problems.add(`${node.path} belongs to ${owner} already`);
  return false;
}

export function claim({ resource, owners }: Search, { node }: NodeFacts): void {
  owners.set(node.number, resource);
}

/** Says of each node whether the rules' list or the node's own use of it denies it; each is looked at once. */
export function denials({ deny }: CompiledRules, { inventory }: Facts): Search['denial'] {
  const known = new Map<DeviceNumber, string | undefined>();
  return ({ node }) => {
    if (known.has(node.number)) return known.get(node.number);
    const use = inventory.inUse.get(node.number);
    const paths = [node.path, ...node.links];
    const glob = deny.find((each) => paths.some((path) => matchesPath(each, path)));
    const reason =
      glob !== undefined
        ? `is denied by ${glob.pattern}`
        : use === undefined
          ? undefined
          : `is used by the node itself: ${use}`;
    known.set(node.number, reason);
    return reason;
  };
}
