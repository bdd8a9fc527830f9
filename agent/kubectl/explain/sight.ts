/** What is gathered to explain a pod or a claim, before anything is concluded from it. */
import type { AddressPoolView } from '../../../cni/views.ts';
import type { StoragePoolView } from '../../../csi/views.ts';
import type { DeviceView } from '../../../deviceplugin/views.ts';
import type { Told } from '../agents.ts';
import type {
  BerthNodeObject,
  CapacityObject,
  ClaimObject,
  ClassObject,
  EventObject,
  NodeObject,
  PodObject,
  VolumeObject,
} from '../objects.ts';
import type { Seen } from '../seen.ts';

/** The nodes, and what each has. */
export interface FleetSight {
  readonly nodes: Seen<readonly NodeObject[]>;
  readonly berthNodes: Seen<readonly BerthNodeObject[]>;
  readonly devices: readonly Told<{ readonly items?: readonly DeviceView[] }>[];
  readonly pools: readonly Told<{ readonly items?: readonly (AddressPoolView | StoragePoolView)[] }>[];
  /** What is told to the scheduler of room. */
  readonly capacities: Seen<readonly CapacityObject[]>;
  /** Why agents could not be asked at all; empty when they were. */
  readonly agentsUnseen: string;
}

/** The volume that is copied, or the node of the snapshot. */
export type DataSource = { readonly volume: VolumeObject } | { readonly node: string };

export interface ClaimSight {
  readonly namespace: string;
  readonly name: string;
  readonly claim: Seen<ClaimObject | undefined>;
  readonly volume: VolumeObject | undefined;
  readonly storageClass: Seen<ClassObject | undefined>;
  readonly events: Seen<readonly EventObject[]>;
  /** Where what the claim is to be filled with is, as far as it could be found. */
  readonly source: DataSource | undefined;
  /** Pods that use it. */
  readonly users: Seen<readonly PodObject[]>;
}

export interface PodSight {
  readonly pod: PodObject;
  readonly events: Seen<readonly EventObject[]>;
  readonly claims: readonly ClaimSight[];
  readonly fleet: FleetSight;
}

/** Something that is in the way. */
export interface Obstacle {
  /** What is asked for: a resource, a claim, the network, or the node itself. */
  readonly about: string;
  /** With the node as its subject: `has none`. */
  readonly text: string;
}

/** Text in parts: the sentences that answer, and what they rest on. */
export interface Explanation {
  readonly about: string;
  readonly conclusions: readonly string[];
  readonly evidence: readonly Evidence[];
}

export interface Evidence {
  readonly title: string;
  readonly headings: readonly string[];
  readonly rows: readonly (readonly string[])[];
}
