/** What `status` looks at, and what it says of each part and node. */
import type { Agent } from '../agents.ts';
import type { BerthNodeObject, DaemonSetObject, NodeObject, PodObject } from '../objects.ts';
import type { Seen } from '../seen.ts';

export interface Sight {
  readonly nodes: Seen<readonly NodeObject[]>;
  /** Of agents. */
  readonly pods: Seen<readonly PodObject[]>;
  readonly daemonSets: Seen<readonly DaemonSetObject[]>;
  readonly berthNodes: Seen<readonly BerthNodeObject[]>;
  /** Names of nodes to look at; all when it is empty. */
  readonly asked: readonly string[];
}

export interface NodeVerdict {
  readonly node: string;
  /** `off`: the agent is not meant to run there. */
  readonly state: 'well' | 'ill' | 'off';
  readonly agent: string;
  readonly version: string;
  readonly network: string;
  readonly devices: string;
  readonly storage: string;
  /** Sentences without an end; empty when it is well, and why it is off when it is. */
  readonly reasons: readonly string[];
}

export interface PartVerdict {
  readonly part: 'Agents' | 'Network' | 'Devices' | 'Storage';
  /** `unseen`: the user may not see it. `off`: no node has it. */
  readonly state: 'well' | 'ill' | 'unseen' | 'off';
  readonly text: string;
}

export interface Status {
  /** False also where not all could be seen. */
  readonly well: boolean;
  readonly parts: readonly PartVerdict[];
  readonly nodes: readonly NodeVerdict[];
  /** What is wrong with, or not visible of, the cluster as a whole. */
  readonly notes: readonly string[];
}

/** What is known of one node. */
export interface Known {
  readonly name: string;
  readonly expected: boolean;
  readonly node: NodeObject | undefined;
  readonly agent: Agent | undefined;
  readonly told: BerthNodeObject | undefined;
}
