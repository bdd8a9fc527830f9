/** Reads the mount table of this mount namespace: /proc/self/mountinfo (proc_pid_mountinfo(5)) as plain data. */
import { readFileSync } from 'node:fs';

/** One mount. Paths are unescaped and as seen from this process's root. */
export interface MountEntry {
  readonly id: number;
  readonly parent: number;
  /** Device of the filesystem as `major:minor`; what mounts are matched by, because sources are only words. */
  readonly device: string;
  /** The folder or file of the filesystem that is shown here; `/` unless it is a bind of a part. */
  readonly root: string;
  readonly mountPoint: string;
  /** Options of this mount alone, such as `ro` or `nosuid`. */
  readonly options: readonly string[];
  /** Optional fields: `shared:N`, `master:N`, `propagate_from:N`, `unbindable`. */
  readonly tags: readonly string[];
  readonly fsType: string;
  readonly source: string;
  /** Options of the filesystem, common to all its mounts, whoever changed them from wherever. */
  readonly superOptions: readonly string[];
}

/** The kernel writes space, tab, newline, backslash and `#` as three octal digits. */
function unescapeField(field: string): string {
  if (!field.includes('\\')) return field;
  return field.replace(/\\([0-7]{3})/g, (_, digits: string) => String.fromCharCode(parseInt(digits, 8)));
}

/** Parses the text of a mountinfo file; the order is kept: of two mounts on one point the later is on top. */
export function parseMountInfo(text: string): MountEntry[] {
  const entries: MountEntry[] = [];
  for (const line of text.split('\n')) {
    const fields = line.split(' ');
    // A variable number of optional fields ends with a lone hyphen, which can stand no earlier than the seventh place.
    const hyphen = fields.indexOf('-', 6);
    const [id, parent, device, root, mountPoint, options] = fields;
    const [fsType, source, superOptions] = hyphen < 0 ? [] : fields.slice(hyphen + 1);
    if (device === undefined || root === undefined || mountPoint === undefined || options === undefined) continue;
    if (fsType === undefined || source === undefined) continue;
    entries.push({
      id: Number(id),
      parent: Number(parent),
      device,
      root: unescapeField(root),
      mountPoint: unescapeField(mountPoint),
      options: options.split(','),
      tags: fields.slice(6, hyphen),
      fsType: unescapeField(fsType),
      source: unescapeField(source),
      superOptions: superOptions === undefined ? [] : superOptions.split(','),
    });
  }
  return entries;
}

/** The mount that covers a path: the longest mount point above it, the topmost of several. */
export function coveringMount(entries: readonly MountEntry[], path: string): MountEntry | undefined {
  let best: MountEntry | undefined;
  for (const entry of entries) {
    const prefix = entry.mountPoint === '/' ? '/' : `${entry.mountPoint}/`;
    if (entry.mountPoint !== path && !path.startsWith(prefix)) continue;
    if (best === undefined || entry.mountPoint.length >= best.mountPoint.length) best = entry;
  }
  return best;
}

/**
 * The mount table of this process now. Synchronously: the kernel answers from memory, sooner than the five ways through the thread
 * pool would take. One read call gives one consistent table up to the kernel's seq buffer.
 */
export function readMountInfo(): readonly MountEntry[] {
  return parseMountInfo(readFileSync('/proc/self/mountinfo', 'utf8'));
}
