/**
 * What storage has promised, as plain data: what is there after the calls of a test. The functions beside it say which answers
 * are right. Tests send random calls to a node, one after another or at once, and ask about every answer.
 */
import type { AccessMode } from '../../volume.ts';

export type ModelType = 'ext4' | 'block';

export interface ModelVolume {
  readonly id: string;
  /** The test's own: volume 0, volume 1. */
  readonly name: number;
  readonly bytes: bigint;
  readonly type: ModelType;
  /** ID of what it was made from. */
  readonly source: string | undefined;
  /** Its mount flags. */
  readonly staged: string | undefined;
  readonly published: readonly { readonly target: number; readonly readonly: boolean; readonly mode: AccessMode }[];
  /** Numbers of the chunks that were written. */
  readonly written: readonly number[];
}

export interface ModelSnapshot {
  readonly id: string;
  /** Undefined for members of a group: their name is not the test's. */
  readonly name: number | undefined;
  readonly bytes: bigint;
  readonly type: ModelType;
  readonly source: string;
  readonly written: readonly number[];
}

export interface ModelGroup {
  readonly id: string;
  readonly name: number;
  /** Sorted. */
  readonly sources: readonly string[];
  readonly members: readonly string[];
}

export interface Model {
  /** Bytes that everything may have together. */
  readonly capacity: bigint;
  /** Whether copies share bytes with their source, or have their own of what was written. */
  readonly copies: 'shared' | 'full';
  readonly volumes: readonly ModelVolume[];
  readonly snapshots: readonly ModelSnapshot[];
  readonly groups: readonly ModelGroup[];
  /** IDs that were given out: they never come back. */
  readonly seen: readonly string[];
  /** What lies at targets where nothing is mounted: a reboot leaves it. */
  readonly leftovers: ReadonlyMap<number, 'folder' | 'file'>;
}

/** Pods of the tests write in chunks of so many bytes. */
export const chunkBytes = 16n << 20n;

export function emptyModel(capacity: bigint, copies: Model['copies']): Model {
  return { capacity, copies, volumes: [], snapshots: [], groups: [], seen: [], leftovers: new Map() };
}

/** Bytes that are neither promised nor taken. */
export function availableIn({ capacity, copies, volumes, snapshots }: Model): bigint {
  // A copy of its own never changes: it needs what it has.
  const kept = ({ bytes, written }: ModelSnapshot): bigint =>
    copies === 'shared' ? bytes : BigInt(written.length) * chunkBytes;
  const promised = [...volumes.map(({ bytes }) => bytes), ...snapshots.map(kept)];
  return promised.reduce((left, bytes) => left - bytes, capacity);
}

export function withVolume(model: Model, volume: ModelVolume): Model {
  return { ...model, volumes: model.volumes.map((other) => (other.id === volume.id ? volume : other)) };
}

/** A pod has written a chunk of a staged volume. */
export function writtenTo(model: Model, volume: ModelVolume, chunk: number): Model {
  return withVolume(model, { ...volume, written: [...new Set([...volume.written, chunk])] });
}

/** Mounts and devices end with a reboot, files at targets do not. */
export function rebooted(model: Model): Model {
  const left = model.volumes.flatMap(({ type, published }) =>
    published.map(({ target }) => [target, type === 'block' ? 'file' : 'folder'] as const),
  );
  return {
    ...model,
    leftovers: new Map([...model.leftovers, ...left]),
    volumes: model.volumes.map((volume) => ({ ...volume, staged: undefined, published: [] })),
  };
}
