/** A probe: reading the node, and judging what was read, which is pure. */
import type { NodeConfig } from '../nodeconfig.ts';
import type { DoctorContext } from './context.ts';
import type { Verdict } from './finding.ts';

export interface Probe {
  /** `GROUP.NAME`, stable: people skip probes by it. */
  readonly id: string;
  /** What is asked, in a few words. */
  readonly title: string;
  /** For the documentation: why it matters. */
  readonly why: string;
  /** For the documentation: what mends it. */
  readonly mend: string;
  /** Undefined when the NodeConfig has nothing that the probe is for. */
  look(context: DoctorContext): Promise<Verdict> | undefined;
}

/** `P` is the part of the NodeConfig that a probe is about, `S` the snapshot that it reads. */
export interface ProbeDefinition<P, S> extends Pick<Probe, 'id' | 'title' | 'why' | 'mend'> {
  /** Undefined: it is not asked. */
  readonly of: (config: NodeConfig) => P | undefined;
  /** What it throws makes the finding `unknown`, with the error's message for the reason. */
  readonly read: (context: DoctorContext, part: P) => Promise<S>;
  readonly judge: (snapshot: S, part: P) => Verdict;
}

export function probe<P, S>({ of, read, judge, ...about }: ProbeDefinition<P, S>): Probe {
  return {
    ...about,
    look(context) {
      const part = of(context.config);
      return part === undefined ? undefined : read(context, part).then((snapshot) => judge(snapshot, part));
    },
  };
}

export const always = (config: NodeConfig): NodeConfig => config;
export const withNetwork = ({ network }: NodeConfig): NodeConfig['network'] => network;
export const withDevices = ({ devices }: NodeConfig): NodeConfig['devices'] => devices;
export const withStorage = ({ storage }: NodeConfig): NodeConfig['storage'] => storage;
