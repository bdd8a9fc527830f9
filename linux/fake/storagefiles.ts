/**
 * The files of the fake storage kernel: real ones without bytes, of which it remembers what they hold, where their extents
 * lie and which of them are shared. Space is what the extents of all files take together, as on a disk.
 */
import { closeSync, fstatSync, ftruncateSync, openSync, statSync } from 'node:fs';
import { stat } from 'node:fs/promises';
import { BerthError } from '../../kit/errors.ts';
import type { FileExtent } from '../extents.ts';
import { SystemCallError } from '../libc.ts';
import type { Content } from '../superblock.ts';

const ENOSPC = 28;

interface FakeFile {
  /** Held open so that the file is known under any name it is moved to, and its end is noticed. */
  readonly descriptor: number;
  content: Content;
  /** Size of the filesystem in it; 0 without one. */
  filesystemBytes: bigint;
  clean: boolean;
  extents: readonly FileExtent[];
}

interface Range {
  readonly begin: bigint;
  readonly end: bigint;
}

/** What is left of the ranges when one is taken out of them. */
function without(ranges: readonly Range[], taken: Range): Range[] {
  return ranges.flatMap(({ begin, end }) => {
    if (taken.end <= begin || taken.begin >= end) return [{ begin, end }];
    const rest = [
      { begin, end: taken.begin },
      { begin: taken.end, end },
    ];
    return rest.filter((part) => part.begin < part.end);
  });
}

/** The part of an extent within a range of the file. */
function cut(extent: FileExtent, { begin, end }: Range): FileExtent | undefined {
  const from = extent.logical > begin ? extent.logical : begin;
  const to = extent.logical + extent.length < end ? extent.logical + extent.length : end;
  if (from >= to) return undefined;
  return { ...extent, logical: from, physical: extent.physical + from - extent.logical, length: to - from };
}

const logical = ({ logical: begin, length }: FileExtent): Range => ({ begin, end: begin + length });
const physical = ({ physical: begin, length }: FileExtent): Range => ({ begin, end: begin + length });

export class FakeFiles {
  readonly totalBytes: bigint;
  readonly #files = new Map<string, FakeFile>();
  /** Places on the disk are never used twice. */
  #nextPlace = 1n << 20n;

  constructor(totalBytes: bigint) {
    this.totalBytes = totalBytes;
  }

  async keyOf(file: string): Promise<string> {
    const { dev, ino } = await stat(file, { bigint: true });
    return `${dev}:${ino}`;
  }

  get(key: string): FakeFile | undefined {
    return this.#files.get(key);
  }

  /** Remembers this instant; the function brings it back. Files of then must still have a name. */
  save(): () => void {
    const files = [...this.#files].map(([key, file]) => [key, { ...file }] as const);
    const sizes = files.map(([, { descriptor }]) => fstatSync(descriptor).size);
    return () => {
      const then = new Map(files);
      for (const [key, { descriptor }] of this.#files) if (!then.has(key)) closeSync(descriptor);
      this.#files.clear();
      for (const [at, [key, file]] of files.entries()) {
        this.#files.set(key, file);
        ftruncateSync(file.descriptor, sizes[at]);
      }
    };
  }

  /** Bytes of the disk that no file has. Space of files without a name is free again. */
  freeBytes(): bigint {
    const ranges: Range[] = [];
    for (const [key, { descriptor, extents }] of this.#files) {
      if (fstatSync(descriptor).nlink > 0) ranges.push(...extents.map(physical));
      else {
        closeSync(descriptor);
        this.#files.delete(key);
      }
    }
    ranges.sort((a, b) => (a.begin < b.begin ? -1 : 1));
    let [used, end] = [0n, 0n];
    for (const range of ranges) {
      if (range.end <= end) continue;
      used += range.end - (range.begin > end ? range.begin : end);
      end = range.end;
    }
    return this.totalBytes - used;
  }

  /** A new file without space. */
  make(path: string): FakeFile {
    const descriptor = openSync(path, 'wx', 0o600);
    const file: FakeFile = { descriptor, content: { kind: 'empty' }, filesystemBytes: 0n, clean: true, extents: [] };
    const { dev, ino } = fstatSync(descriptor, { bigint: true });
    this.#files.set(`${dev}:${ino}`, file);
    return file;
  }

  /** Makes the file at least that long and, unless sparse, fills its holes. */
  extend(file: FakeFile, path: string, bytes: bigint, sparse: boolean): void {
    const { size } = fstatSync(file.descriptor, { bigint: true });
    if (!sparse) this.#take(file, path, this.#holes(file, { begin: 0n, end: bytes }), true);
    if (size < bytes) ftruncateSync(file.descriptor, Number(bytes));
  }

  /** Makes a file with what another holds, sharing what is written of it or taking as much space. */
  duplicate(source: string, target: string, shared: boolean): FakeFile {
    const { dev, ino } = statSync(source, { bigint: true });
    const from = this.#files.get(`${dev}:${ino}`);
    if (from === undefined) throw new BerthError('INTERNAL', `${source} was not made by the fake kernel`);
    const written = from.extents.filter(({ unwritten }) => !unwritten);
    if (!shared) this.#assertFree(target, written.map(logical));
    const to = this.make(target);
    ftruncateSync(to.descriptor, Number(fstatSync(from.descriptor, { bigint: true }).size));
    if (shared) to.extents = written;
    else this.#take(to, target, written.map(logical), false);
    return Object.assign(to, { content: from.content, filesystemBytes: from.filesystemBytes, clean: from.clean });
  }

  /** Overwrites a range: in place where the bytes are the file's own, else at a new place. Throws ENOSPC. */
  write(file: FakeFile, path: string, range: Range): void {
    const others = [...this.#files.values()].filter((other) => other !== file).flatMap(({ extents }) => extents);
    const [own, fresh]: [FileExtent[], Range[]] = [[], this.#holes(file, range)];
    for (const extent of file.extents) {
      const part = cut(extent, range);
      if (part === undefined) continue;
      const alone = others.reduce((rest, other) => without(rest, physical(other)), [physical(part)]);
      const shift = part.logical - part.physical;
      for (const { begin, end } of alone) {
        own.push({ logical: begin + shift, physical: begin, length: end - begin, unwritten: false });
      }
      fresh.push(...own.reduce((rest, kept) => without(rest, logical(kept)), [logical(part)]));
    }
    this.#assertFree(path, fresh);
    const outside = file.extents.flatMap((extent) =>
      without([logical(extent)], range).flatMap((rest) => cut(extent, rest) ?? []),
    );
    file.extents = [...outside, ...own];
    this.#take(file, path, fresh, false);
  }

  #holes(file: FakeFile, range: Range): Range[] {
    return file.extents.reduce((rest, extent) => without(rest, logical(extent)), [range]);
  }

  #assertFree(path: string, ranges: readonly Range[]): void {
    const bytes = ranges.reduce((sum, { begin, end }) => sum + end - begin, 0n);
    if (bytes > this.freeBytes()) throw new SystemCallError('fallocate', ENOSPC, path);
  }

  /** Gives the ranges of a file places on the disk. */
  #take(file: FakeFile, path: string, ranges: readonly Range[], unwritten: boolean): void {
    this.#assertFree(path, ranges);
    const taken = ranges.map(({ begin, end }) => {
      const place = this.#nextPlace;
      this.#nextPlace += end - begin;
      return { logical: begin, physical: place, length: end - begin, unwritten };
    });
    file.extents = [...file.extents, ...taken].sort((a, b) => (a.logical < b.logical ? -1 : 1));
  }
}
