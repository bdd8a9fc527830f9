/** Where the kubelet keeps a pod's cgroup: below which folder of the hierarchy, and under which name. */
import { readdir, stat } from 'node:fs/promises';
import { basename, join, relative } from 'node:path';

/** A pod's UID as the API server makes it, or the hash a static pod has instead. Nothing else becomes a part of a path. */
const uidPattern = /^(?:[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}|[0-9a-f]{32})$/;

/** Whether the text is the UID of a pod. */
export function isPodUid(text: string): boolean {
  return uidPattern.test(text);
}

/** The kubelet's folder for all pods: `kubepods` (cgroupfs driver) or `kubepods.slice` (systemd), perhaps below a cgroup root. */
const podsFolder = /^(?:kubepods|(?:.+-)?kubepods\.slice)$/;
/** Where it is without a cgroup root, and with that of kind. */
const usual = ['kubepods', 'kubepods.slice', 'kubelet/kubepods', 'kubelet.slice/kubelet-kubepods.slice'] as const;

/** Where people who log in may make groups, also some called `kubepods`. */
const foreign: ReadonlySet<string> = new Set(['user.slice']);
/** How deep a cgroup root lies, and how many folders a machine without `kubepods` may cost. */
const searchDepth = 5;
const searchFolders = 5_000;

/** The places a pod's folder can have: by quality of service, which the path of a volume does not tell. */
function candidates(root: string, uid: string): readonly string[] {
  const name = basename(root);
  if (!name.endsWith('.slice'))
    return ['', 'burstable', 'besteffort'].map((quality) => join(root, quality, `pod${uid}`));
  // systemd: a hyphen in a slice's name is a level, so the UID has none.
  const [prefix, pod] = [name.slice(0, -'.slice'.length), `pod${uid.replaceAll('-', '_')}.slice`];
  const below = ['burstable', 'besteffort'].map((quality) => {
    const slice = `${prefix}-${quality}`;
    return join(root, `${slice}.slice`, `${slice}-${pod}`);
  });
  return [join(root, `${prefix}-${pod}`), ...below];
}

async function isFolder(path: string): Promise<boolean> {
  return (await stat(path).catch(() => undefined))?.isDirectory() ?? false;
}

/** Folders in a folder of a hierarchy, as paths; none when it has gone. */
export async function groupsIn(folder: string): Promise<readonly string[]> {
  const entries = await readdir(folder, { withFileTypes: true }).catch(() => []);
  return entries.flatMap((entry) => (entry.isDirectory() ? join(folder, entry.name) : []));
}

/** Every kubelet's folder in the hierarchy: several nodes may share a kernel. Breadth first, and not into what holds pods. */
async function search(hierarchy: string): Promise<readonly string[]> {
  const found: string[] = [];
  let level = [hierarchy];
  let seen = 0;
  for (let depth = 0; depth < searchDepth && level.length > 0; depth++) {
    const next: string[] = [];
    for (const folder of level) {
      if (++seen > searchFolders) return found;
      for (const below of await groupsIn(folder)) {
        if (podsFolder.test(basename(below))) found.push(below);
        else if (!foreign.has(basename(below))) next.push(below);
      }
    }
    level = next;
  }
  return found;
}

/**
 * Finds pods' folders in one hierarchy. Each way of naming them is tried in the kubelet's folder; where that is, is tried
 * first, too. Only when no such folder has the pod (a kubelet with `--cgroup-root`) the hierarchy is searched, and what was
 * found is remembered: that is once per kubelet, and once more for each pod that does not exist.
 */
export class PodCgroups {
  readonly #hierarchy: string;
  readonly #roots: Set<string>;

  constructor(hierarchy: string) {
    this.#hierarchy = hierarchy;
    this.#roots = new Set(usual.map((path) => join(hierarchy, path)));
  }

  /** The pod's folder, or undefined when it has none yet, or any more. `uid` is checked. */
  async find(uid: string): Promise<string | undefined> {
    if (!isPodUid(uid)) return undefined;
    const known = await this.#among(this.#roots, uid);
    if (known !== undefined) return known;
    const fresh = (await search(this.#hierarchy)).filter((root) => !this.#roots.has(root));
    for (const root of fresh) this.#roots.add(root);
    return await this.#among(fresh, uid);
  }

  /** Where the pod's folder was looked for, for people: `/kubepods, /kubepods.slice`. */
  async places(): Promise<string> {
    const there: string[] = [];
    for (const root of this.#roots) if (await isFolder(root)) there.push(`/${relative(this.#hierarchy, root)}`);
    return there.length === 0 ? 'no folder kubepods' : there.join(', ');
  }

  async #among(roots: Iterable<string>, uid: string): Promise<string | undefined> {
    for (const root of roots) for (const path of candidates(root, uid)) if (await isFolder(path)) return path;
    return undefined;
  }
}
