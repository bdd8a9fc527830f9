/** What `berth get` can be asked for, and how commands print; apart, so that the command line is parsed without loading the rest. */

export const outputs = ['table', 'wide', 'json', 'yaml'] as const;
export type Output = (typeof outputs)[number];
export const reports = ['text', 'json'] as const;
export type Report = (typeof reports)[number];
export const documents = ['text', 'json', 'yaml'] as const;
export type Document = (typeof documents)[number];
export const kinds = [
  'attachments',
  'pools',
  'routes',
  'devices',
  'inventory',
  'volumes',
  'snapshots',
  'trash',
] as const;
export type Kind = (typeof kinds)[number];
/** Those that a pool's folder tells without an agent. */
export const storedKinds = ['volumes', 'snapshots', 'trash'] as const satisfies readonly Kind[];
