/** What may be done with a volume on this node, given how it is asked for, with which arguments it was before, and where it is. Pure. */
import { BerthError } from '../kit/errors.ts';
import type { Placement } from './engine.ts';
import type { Published, Staged, VolumeNodeState } from './nodestate.ts';
import { describeUse } from './volume.ts';
import type { VolumeRecord, WantedUse } from './volume.ts';

/** Where a staged volume is to be shown. */
export interface PublishRequest {
  readonly staging: string;
  readonly target: string;
  readonly readonly: boolean;
  readonly use: WantedUse;
  /** For people only: the kubelet tells it where the CSIDriver asks for that. */
  readonly pod?: { readonly namespace: string; readonly name: string } | undefined;
}

/** Throws FAILED_PRECONDITION when the volume cannot be used in the wanted way. */
export function assertUsable(volume: VolumeRecord, use: WantedUse): void {
  const asked = use.kind === 'block' ? 'raw block' : (use.fsType ?? 'filesystem');
  const typeDiffers = use.fsType !== undefined && use.fsType !== describeUse(volume.use);
  if (use.kind === volume.use.kind && !typeDiffers) return;
  throw new BerthError('FAILED_PRECONDITION', `volume ${volume.id} is ${describeUse(volume.use)}, ${asked} asked`);
}

/** Whether a call is the same as an earlier one. */
export function sameArguments(known: Staged | Published, now: Staged | Published): boolean {
  const flat = (use: Staged | Published): string =>
    JSON.stringify([use.path, use.kind, use.mode, use.mountFlags, 'readonly' in use && use.readonly]);
  return flat(known) === flat(now);
}

export function isAt(placement: Placement, path: string): boolean {
  return placement.places.some((place) => place.path === path);
}

/** A raw block volume is staged by being attached: nothing is mounted at its staging path. */
export function isStaged(placement: Placement, state: VolumeNodeState, path: string, kind: WantedUse['kind']): boolean {
  return kind === 'block' ? placement.attached && state.staged?.path === path : isAt(placement, path);
}

/** RWOP: one target on this node. Other modes may share: Kubernetes lets several pods of a node use an RWO claim. */
export function assertShareable(
  id: string,
  placement: Placement,
  state: VolumeNodeState,
  { staging, target, use }: PublishRequest,
): void {
  const others = placement.places.filter((place) => place.path !== staging && place.path !== target);
  if (others.length === 0) return;
  const single = 'SINGLE_NODE_SINGLE_WRITER';
  const exclusive = use.mode === single || state.published.some(({ path, mode }) => mode === single && path !== target);
  if (!exclusive) return;
  throw new BerthError('FAILED_PRECONDITION', `volume ${id} is for a single writer and published at another target`);
}
