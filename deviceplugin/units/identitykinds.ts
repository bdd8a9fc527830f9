/** What can say which unit it is, strongest first: a serial number, the port or bus address, the path. */
export const identityKinds = ['serial', 'port', 'path'] as const;
export type IdentityKind = (typeof identityKinds)[number];
