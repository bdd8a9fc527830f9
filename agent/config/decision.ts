/**
 * What comes of a configuration that has changed under an agent that runs, section by section: nothing, taken over, or left for the
 * next start. Pure.
 */
import type { NodeConfig } from '../nodeconfig.ts';
import { partOf } from '../part.ts';
import type { Plugin } from '../part.ts';
import { changedFields, formatField } from './changedfields.ts';
import type { FieldPath } from './changedfields.ts';

/** Which fields, with all below them, services take over while they run; names of elements are left out. */
const applicable: Readonly<Record<keyof NodeConfig, readonly string[]>> = {
  agent: ['logLevel'],
  kubelet: [],
  network: [],
  devices: ['resources', 'deny', 'mountRoots'],
  storage: [],
};

/** For the documentation: `agent.logLevel`. */
export const applicableFields: readonly string[] = Object.entries(applicable).flatMap(([section, fields]) =>
  fields.map((field) => `${section}.${field}`),
);

export interface Decision {
  /** What runs from now on; sections that stay are the objects they were. */
  readonly config: NodeConfig;
  /** Fields that are taken over. */
  readonly applied: readonly string[];
  /** Fields that need a restart. */
  readonly pending: readonly string[];
}

/**
 * A section is taken over as a whole or not at all: its fields were checked against each other. A section that comes or goes is a
 * plugin that does, which needs a restart.
 */
export function decide(running: NodeConfig, found: NodeConfig): Decision {
  const taken: Partial<Record<keyof NodeConfig, unknown>> = {};
  const applied: string[] = [];
  const pending: string[] = [];
  for (const section of Object.keys(applicable) as (keyof NodeConfig)[]) {
    const changes = changedFields(running[section], found[section], [section]);
    if (changes.length === 0) continue;
    if (changes.every((change) => isApplicable(section, change))) {
      taken[section] = found[section];
      applied.push(...changes.map(formatField));
    } else pending.push(...changes.map(formatField));
  }
  return { config: { ...running, ...taken } as NodeConfig, applied, pending };
}

function isApplicable(section: keyof NodeConfig, [, ...path]: FieldPath): boolean {
  const keys = path.filter((step) => typeof step === 'string');
  return applicable[section].some((field) => field.split('.').every((key, at) => keys[at] === key));
}

/**
 * What concerns a process with these plugins of a configuration that was found: its part of it, and sections that were not there at the
 * start (`whole`), which no process runs and so all of them tell of.
 */
export function concerning(found: NodeConfig, only: readonly Plugin[], whole: NodeConfig): NodeConfig {
  const nobodys = Object.entries(found).filter(([section]) => whole[section as keyof NodeConfig] === undefined);
  return { ...partOf(found, only), ...Object.fromEntries(nobodys) };
}
