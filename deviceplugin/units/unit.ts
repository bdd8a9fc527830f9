/** A unit: the device nodes that one container gets together, under one ID. Replicas of it are the front ends' affair. */
import type { ResourceRule } from '../config/resource.ts';
import type { DevNode } from '../inventory/inventory.ts';
import type { IdentityKind } from './identitykinds.ts';

/** One node of a unit. */
export interface Member {
  /** Which part it plays: a role of the rule's `group`, else `device`. */
  readonly role: string;
  readonly node: DevNode;
}

/** What a rule found on the node: no ID yet. */
export interface FoundUnit {
  /** In the order of the rule. None where a pod has a unit that was away already when the agent began. */
  readonly members: readonly Member[];
  /** Nodes beside those that are its own (`with` of the rule): other units may have the same. */
  readonly companions: readonly DevNode[];
  /** What says which unit it is, where known. Texts, not yet sanitised; `path` is always there. */
  readonly identities: Readonly<Partial<Record<IdentityKind, string>> & { path: string }>;
  readonly numaNode: number | undefined;
  /** `devpath`s of what the members have in common, nearest first: near units share more of them. */
  readonly lineage: readonly string[];
}

/** A unit with its ID, present or not. */
export interface Unit extends FoundUnit {
  /** At most 56 characters of `[A-Za-z0-9._:-]`, without a replica; the same for the same hardware in the same place. */
  readonly id: string;
  /** False while the hardware is away: then the rest says what it was. */
  readonly present: boolean;
  /** Why it cannot be used now, as a sentence without a subject ("is gone from the node"); undefined when it can. */
  readonly unhealthy: string | undefined;
}

/** A resource as it is now. */
export interface ResourceState {
  readonly rule: ResourceRule;
  /** By ID, in the order of advertisement. */
  readonly units: ReadonlyMap<string, Unit>;
  /** What was found and is not offered, as sentences. */
  readonly problems: readonly string[];
}

/** By resource name. */
export type Snapshot = ReadonlyMap<string, ResourceState>;
