/** Makes the engine that a pool's configuration names. */
import { kernelSubvolumes } from '../linux/btrfs.ts';
import { kernelBtrfsQuotas } from '../linux/btrfsquota.ts';
import type { Engine } from './engine.ts';
import type { AtPoint } from './faultpoints.ts';
import { imageEngine } from './imageengine.ts';
import type { StorageKernel } from './kernel.ts';
import type { Pool } from './pool.ts';
import { subvolumeEngine } from './subvolumeengine.ts';
import { tmpfsEngine } from './tmpfsengine.ts';
import type { EngineKind } from './volume.ts';

export interface EngineParts extends StorageKernel {
  readonly pool: Pick<Pool, 'name' | 'path' | 'folders'>;
  readonly atPoint: AtPoint;
}

/** The engine of an open pool. Throws FAILED_PRECONDITION with what to do when the pool's folder is not fit for it. */
export async function engineFor(kind: EngineKind, parts: EngineParts): Promise<Engine> {
  switch (kind) {
    case 'image':
      return await imageEngine({
        ...parts,
        folders: parts.pool.folders,
        commit: (folder) => kernelSubvolumes().commit(folder),
      });
    case 'subvolume':
      return await subvolumeEngine({ ...parts, subvolumes: kernelSubvolumes(), quotas: kernelBtrfsQuotas() });
    case 'tmpfs':
      return await tmpfsEngine(parts);
  }
}
