/** Volumes on this node: stage, publish and back, and their figures. Arguments are remembered, mounts are asked of the kernel. */
import { BerthError, errnoOf } from '../kit/errors.ts';
import type { Filesystems, FilesystemUsage } from '../linux/filesystem.ts';
import type { Mounts } from '../linux/mount.ts';
import type { Placement } from './engine.ts';
import { failureOf } from './failures.ts';
import { growVolume } from './growth.ts';
import { assertShareable, assertUsable, isAt, isStaged, sameArguments } from './nodeuse.ts';
import type { PublishRequest } from './nodeuse.ts';
import type { Published, Staged } from './nodestate.ts';
import type { PoolParts } from './poolparts.ts';
import { assertDirect, assertFolder, makeTarget, removeTarget } from './targets.ts';
import type { Volumes } from './volumes.ts';
import type { CapacityRange, VolumeRecord, WantedUse } from './volume.ts';

export interface NodeVolumesParts {
  readonly parts: PoolParts;
  readonly volumes: Volumes;
  readonly mounts: Mounts;
  readonly filesystems: Filesystems;
  /** The kubelet's folder: staging and target paths lie below it. */
  readonly kubeletRoot: string;
}

/** Figures of a volume: bytes of a raw block volume, bytes and inodes of a filesystem; and where it was seen for them. */
export type VolumeUsage = { readonly placement: Placement } & (
  { readonly kind: 'block'; readonly total: bigint } | { readonly kind: 'filesystem'; readonly usage: FilesystemUsage }
);

/** More mounts of one volume on one path than any crash leaves. */
const maxUnmounts = 16;

/** Work that goes on beside what is asked first. What is returned waits for it, and throws what it threw; nobody has to. */
function settled(work: Promise<unknown>): () => Promise<void> {
  work.catch(() => undefined);
  return async () => {
    await work;
  };
}

export class NodeVolumes {
  readonly #parts: PoolParts;
  readonly #own: Omit<NodeVolumesParts, 'parts'>;

  constructor({ parts, ...own }: NodeVolumesParts) {
    this.#parts = parts;
    this.#own = own;
  }

  /** Attaches the volume and mounts its filesystem at the existing folder. Repeatable; ALREADY_EXISTS with other arguments. */
  async stage(id: string, path: string, use: WantedUse): Promise<void> {
    const { engine, nodeState, limits, atPoint } = this.#parts;
    const { volumes, kubeletRoot } = this.#own;
    await volumes.exclusive(id, 'staging', async () => {
      const volume = volumes.get(id);
      assertUsable(volume, use);
      await this.#parts.assertPresent();
      const wanted: Staged = { path, kind: use.kind, mountFlags: use.mountFlags, mode: use.mode };
      const state = nodeState.of(id);
      const reached = settled(Promise.all([assertDirect(kubeletRoot, path), assertFolder(path)]));
      const placement = await engine.look(volume);
      if (isStaged(placement, state, path, use.kind)) {
        if (state.staged === undefined || sameArguments(state.staged, wanted)) {
          nodeState.set(id, { ...state, staged: wanted });
          return;
        }
        throw new BerthError(
          'ALREADY_EXISTS',
          `volume ${id} is staged already, with another path, mode or mount flags`,
        );
      }
      if (placement.places.length > 0) {
        throw new BerthError('ALREADY_EXISTS', `volume ${id} is mounted elsewhere already; unstage it first`);
      }
      await this.#assertFree(path);
      await reached();
      nodeState.set(id, { ...state, staged: wanted });
      atPoint('stage.recorded');
      try {
        const device = await engine.stage(volume, path, use.mountFlags);
        await limits.reset(device?.number);
      } catch (error) {
        nodeState.set(id, { published: state.published });
        throw error;
      }
    });
  }

  /** Unmounts and detaches the volume. Repeatable; FAILED_PRECONDITION while it is published. */
  async unstage(id: string, path: string): Promise<void> {
    const { engine, nodeState, atPoint } = this.#parts;
    const { volumes } = this.#own;
    await volumes.exclusive(id, 'unstaging', async () => {
      const volume = volumes.find(id);
      if (volume === undefined) {
        await this.#assertFree(path);
        return;
      }
      const placement = await engine.look(volume);
      const published = placement.places.filter((place) => place.path !== path);
      if (published.length > 0) {
        throw new BerthError(
          'FAILED_PRECONDITION',
          `volume ${id} is still mounted at ${published.length} other places`,
        );
      }
      await this.#unmountAll(volume, path, placement);
      atPoint('unstage.unmounted');
      await engine.detach(volume).catch((error: unknown) => {
        // The image is gone with its disk: nothing is attached.
        if (errnoOf(error) !== 'ENOENT') throw error;
      });
      atPoint('unstage.detached');
      nodeState.set(id, { published: [] });
    });
  }

  /** Shows the staged volume at the target, which is made. Repeatable; ALREADY_EXISTS with other arguments. */
  async publish(id: string, request: PublishRequest): Promise<void> {
    const { engine, nodeState, limits, atPoint } = this.#parts;
    const { volumes, kubeletRoot } = this.#own;
    const { staging, target, readonly, use, pod } = request;
    await volumes.exclusive(id, 'publishing', async () => {
      const volume = volumes.get(id);
      assertUsable(volume, use);
      const { kind, mode, mountFlags } = use;
      const wanted: Published = { path: target, readonly, kind, mode, mountFlags, pod };
      const state = nodeState.of(id);
      const reached = settled(assertDirect(kubeletRoot, target));
      const placement = await engine.look(volume);
      const others = state.published.filter((known) => known.path !== target);
      const known = state.published.find(({ path }) => path === target);
      if (isAt(placement, target)) {
        const shownReadonly = placement.places.findLast((place) => place.path === target)?.readonly;
        if (known === undefined ? shownReadonly === readonly : sameArguments(known, wanted)) {
          nodeState.set(id, { ...state, published: [...others, wanted] });
          return;
        }
        throw new BerthError('ALREADY_EXISTS', `volume ${id} is published at that target with other arguments`);
      }
      if (!isStaged(placement, state, staging, use.kind)) {
        throw new BerthError('FAILED_PRECONDITION', `volume ${id} is not staged at ${staging}; stage it first`);
      }
      assertShareable(id, placement, state, request);
      await this.#assertFree(target);
      await reached();
      nodeState.set(id, { ...state, published: [...others, wanted] });
      atPoint('publish.recorded');
      const device = placement.device?.number;
      try {
        await limits.enter(volume, device, target);
        await makeTarget(target, use.kind === 'block' ? 'file' : 'folder');
        await engine.publish(volume, { staging, target, readonly });
      } catch (error) {
        await removeTarget(kubeletRoot, target).catch(() => undefined);
        await limits.leave(volume, device, target, others);
        nodeState.set(id, { ...state, published: others });
        throw error;
      }
    });
  }

  /** Takes the volume off the target and removes the target. Repeatable, also for volumes that are gone. */
  async unpublish(id: string, target: string): Promise<void> {
    const { engine, nodeState, limits, atPoint } = this.#parts;
    const { volumes, kubeletRoot } = this.#own;
    await volumes.exclusive(id, 'unpublishing', async () => {
      const volume = volumes.find(id);
      const state = nodeState.of(id);
      const others = state.published.filter(({ path }) => path !== target);
      if (volume === undefined) await this.#assertFree(target);
      else {
        const placement = await engine.look(volume);
        await limits.leave(volume, placement.device?.number, target, others);
        await this.#unmountAll(volume, target, placement);
      }
      atPoint('unpublish.unmounted');
      await removeTarget(kubeletRoot, target);
      nodeState.set(id, { ...state, published: others });
    });
  }

  /** Figures of a volume at a place where it is staged or published; NOT_FOUND when it is not there. */
  async usage(id: string, path: string): Promise<VolumeUsage> {
    const { volumes, filesystems } = this.#own;
    const { engine } = this.#parts;
    const volume = volumes.get(id);
    const placement = await this.#assertShown(volume, path);
    if (volume.use.kind === 'block') return { placement, kind: 'block', total: volume.bytes };
    return { placement, kind: 'filesystem', usage: await (engine.usage?.(volume) ?? filesystems.usage(path)) };
  }

  /**
   * Brings a volume that is staged or published at the path to the size asked for, while pods use it; without a range it
   * finishes what was begun. NOT_FOUND when it is not there.
   */
  async grow(id: string, path: string, range: CapacityRange | undefined): Promise<VolumeRecord> {
    const { volumes } = this.#own;
    return await volumes.exclusive(id, 'growing', async () => {
      const volume = volumes.get(id);
      await this.#assertShown(volume, path);
      return await growVolume(volume, range ?? { required: volume.bytes, limit: 0n }, this.#parts);
    });
  }

  async #assertShown(volume: VolumeRecord, path: string): Promise<Placement> {
    const { engine, nodeState } = this.#parts;
    const placement = await engine.look(volume).catch((error: unknown) => {
      throw failureOf(error, `looking for volume ${volume.id}`);
    });
    const staged = isStaged(placement, nodeState.of(volume.id), path, volume.use.kind);
    if (staged || isAt(placement, path)) return placement;
    throw new BerthError('NOT_FOUND', `volume ${volume.id} is neither staged nor published at that path`);
  }

  /** Foreign mounts are never touched nor covered. */
  async #assertFree(path: string): Promise<void> {
    const mounted = (await this.#own.mounts.list()).some((mount) => mount.mountPoint === path);
    if (mounted) throw new BerthError('FAILED_PRECONDITION', `something else is mounted at ${path}; unmount it first`);
  }

  /** Unmounts until the kernel no longer shows the volume there, as it did in `placement` a moment ago. */
  async #unmountAll(volume: VolumeRecord, path: string, placement: Placement): Promise<void> {
    const { engine } = this.#parts;
    // A crash between bind and record can leave the volume there twice; each round takes one off.
    let rounds = 0;
    for (let places = placement; isAt(places, path); places = await engine.look(volume)) {
      if (++rounds > maxUnmounts) {
        throw new BerthError(
          'IO_FAILED',
          `volume ${volume.id} is still mounted at ${path} after ${maxUnmounts} unmounts`,
        );
      }
      try {
        await engine.unmount(path);
      } catch (error) {
        // EINVAL, ENOENT: somebody was quicker; the next look tells.
        const errno = errnoOf(error);
        if (errno === 'EBUSY') {
          const advice = 'end the processes that have files open there';
          throw new BerthError('BUSY', `volume ${volume.id} is busy at ${path}; ${advice}`, { cause: error });
        }
        if (errno !== 'EINVAL' && errno !== 'ENOENT') throw error;
      }
    }
    await this.#assertFree(path);
  }
}
