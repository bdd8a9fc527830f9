/** Where a node appears in a container: the rule's template filled in, and what came out of it checked again. */
import type { ResourceRule } from '../config/resource.ts';
import { fillIn } from '../config/template.ts';
import type { TemplateValues } from '../config/template.ts';
import { noClimbing } from '../config/text.ts';

/** The last part of a path. */
export function lastPart(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1);
}

/** The path in the container of a node that the rule names by `values.path`, its path on the host. Not checked yet. */
export function containerPath({ container, directory }: ResourceRule, values: TemplateValues): string {
  const { path: host } = values;
  if (container.path === undefined) return host;
  const path = fillIn(container.path, values);
  if (!path.endsWith('/')) return path;
  const below = directory !== undefined && host.startsWith(`${directory}/`);
  return path + (below ? host.slice(directory.length + 1) : lastPart(host));
}

/** What is wrong with the path of a device node in a container, or undefined: what a device says of itself is part of it. */
export function problemOfDevicePath(path: string): string | undefined {
  return path.startsWith('/dev/') ? problemOfPath(path) : 'is not below /dev';
}

/** What is wrong with a path that a template gave, or undefined. */
export function problemOfPath(path: string): string | undefined {
  if (!path.startsWith('/')) return 'is not absolute';
  if (/[\u0000-\u001f\u007f]/.test(path)) return 'contains control characters';
  if (path.includes('//') || path.endsWith('/')) return 'has an empty part';
  if (!noClimbing(path)) return 'contains "." or ".."';
  if (Buffer.byteLength(path) > 4_095) return 'is longer than the 4095 bytes of a path';
  return undefined;
}
