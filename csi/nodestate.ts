/**
 * With which arguments each volume was staged and published on this node, to tell a repeated call from a different one.
 * Only arguments: whether a mount exists is asked of the kernel. Dies with the boot, so its files are not synced.
 */
import { mkdir, readFile, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { removeFile, replaceFile, temporaryPrefix } from '../kit/durablefile.ts';
import { accessModes } from './volume.ts';
import { poolOf } from './objectid.ts';

const use = {
  kind: z.enum(['block', 'filesystem']),
  mountFlags: z.array(z.string()).readonly(),
  mode: z.enum(accessModes),
};
const staged = z.strictObject({ path: z.string(), ...use });
const pod = z.strictObject({ namespace: z.string(), name: z.string() });
const published = z.strictObject({ path: z.string(), readonly: z.boolean(), ...use, pod: pod.optional() });
const stateSchema = z.strictObject({
  staged: staged.optional(),
  published: z.array(published).readonly(),
  frozen: z.boolean().optional(),
  hurried: z.boolean().optional(),
});

export type Staged = z.output<typeof staged>;
export type Published = z.output<typeof published>;
export interface VolumeNodeState {
  readonly staged?: Staged | undefined;
  readonly published: readonly Published[];
  /** Its writers may be held still: whoever finds it thaws. */
  readonly frozen?: boolean | undefined;
  /** For its freeze the machine's grace periods were made short: whoever finds it lets them be long again. */
  readonly hurried?: boolean | undefined;
}

const nothing: VolumeNodeState = { published: [] };

export class NodeState {
  readonly #folder: string;
  readonly #states = new Map<string, VolumeNodeState>();

  constructor(folder: string) {
    this.#folder = folder;
  }

  /** Reads what an earlier process left. A file that cannot be read is as good as none: the kernel knows the mounts. */
  async load(): Promise<void> {
    await mkdir(this.#folder, { recursive: true, mode: 0o700 });
    this.#states.clear();
    for (const file of await readdir(this.#folder)) {
      const path = join(this.#folder, file);
      const id = file.replace(/\.json$/, '');
      try {
        if (poolOf('volume', id) === undefined) throw new Error('not a state file');
        this.#states.set(id, stateSchema.parse(JSON.parse(await readFile(path, 'utf8'))));
      } catch {
        if (file.startsWith(temporaryPrefix) || poolOf('volume', id) !== undefined) await rm(path, { force: true });
      }
    }
  }

  of(id: string): VolumeNodeState {
    return this.#states.get(id) ?? nothing;
  }

  /** All volumes that have a state. */
  ids(): readonly string[] {
    return [...this.#states.keys()];
  }

  /** Remembers a volume's state, or forgets it when nothing is left of it. */
  set(id: string, state: VolumeNodeState): void {
    // Volumes that do not exist are taken back too, under any ID somebody wrote into a PersistentVolume: `../pool` must not
    // become a file name.
    if (poolOf('volume', id) === undefined) return;
    const path = join(this.#folder, `${id}.json`);
    if (state.staged === undefined && state.published.length === 0 && state.frozen !== true) {
      this.#states.delete(id);
      removeFile(path);
      return;
    }
    replaceFile(path, JSON.stringify(state));
    this.#states.set(id, state);
  }
}
