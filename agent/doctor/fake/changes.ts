/** Ways to make the sound node another: files, configuration, answers of the API server and of the agent. */
import type { ConfigFileView } from '../../config/configfile.ts';
import type { Severity } from '../finding.ts';
import { soundNode } from './tree.ts';
import type { RecordedNode } from './tree.ts';

export const sound = soundNode.files;
export const release = '6.12.48+deb13-amd64';

/** The sound node with other files; undefined takes one away. */
export function withFiles(changes: Readonly<Record<string, string | undefined>>): Partial<RecordedNode> {
  const entries = Object.entries({ ...sound, ...changes }).filter(([, text]) => text !== undefined);
  return { files: Object.fromEntries(entries) as Record<string, string> };
}

export function withSection(network: string): Partial<RecordedNode> {
  return { config: soundNode.config.replace('{podCIDR: 10.244.1.0/24}', network) };
}

export function withApi(changes: RecordedNode['api']): Partial<RecordedNode> {
  return { api: { ...soundNode.api, ...changes } };
}

export const withoutSocket = (path: string): Partial<RecordedNode> => ({
  sockets: soundNode.sockets.filter((each) => each !== path),
});

export function services(reason: string | undefined, version?: string): Partial<RecordedNode> {
  const [first, ...rest] = (soundNode.agent?.['services'] ?? []) as readonly { version: string }[];
  const changed = { ...first, reason, version: version ?? first?.version };
  return { agent: { services: [changed, ...rest], pools: [] } };
}

/** How the agent's configuration file is. */
export function configuration(changes: Partial<ConfigFileView>): Partial<RecordedNode> {
  const [view] = soundNode.agent?.['configuration'] ?? [];
  return { agent: { ...soundNode.agent, configuration: [{ ...view, ...changes }] } };
}

export const pools = (reason: string): Partial<RecordedNode> => ({
  agent: { ...soundNode.agent, pools: [{ kind: 'storage', name: 'default', reason }] },
});

export const without = (option: string): string =>
  (sound[`boot/config-${release}`] ?? '').replace(`CONFIG_${option}=m\n`, '');
export const modules = sound[`lib/modules/${release}/modules.dep`] ?? '';

/** One probe and a node that is not well in one place: `node` is what differs from the sound one. */
export interface BrokenNode {
  readonly id: string;
  readonly how: string;
  readonly node: Partial<RecordedNode>;
  readonly severity: Severity;
  readonly says: RegExp;
  readonly fix?: RegExp;
}

/** Short for tables. */
export type Row = readonly [
  id: string,
  how: string,
  node: Partial<RecordedNode>,
  severity: Severity,
  says: RegExp,
  fix?: RegExp,
];

export const rowsOf = (rows: readonly Row[]): readonly BrokenNode[] =>
  rows.map(([id, how, node, severity, says, fix]) => ({
    id,
    how,
    node,
    severity,
    says,
    ...(fix === undefined ? {} : { fix }),
  }));
