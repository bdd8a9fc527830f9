/** What `berth get` can be asked for, and how commands print; apart, so that the command line is parsed without loading the rest. */

export const outputs = ['table', 'wide', 'json', 'yaml'] as const;
export type Output = (typeof outputs)[number];
export const reports = ['text', 'json'] as const;
export type Report = (typeof reports)[number];
export const kinds = ['attachments', 'pools', 'routes', 'devices', 'inventory'] as const;
export type Kind = (typeof kinds)[number];
