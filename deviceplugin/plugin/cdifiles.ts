/**
 * The CDI folder: one file per resource that may be given by CDI, always as the hardware is now, for runtimes read it when
 * they create a container. Files of others are never touched. What cannot be written is told once, tried again, and its
 * units are not given by CDI meanwhile.
 */
import { lstat, mkdir, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { coalesce } from '../../kit/coalesce.ts';
import { temporaryPrefix, writeFileAtomic } from '../../kit/durablefile.ts';
import { messageOf } from '../../kit/errors.ts';
import { Latest } from '../../kit/latest.ts';
import type { Logger } from '../../kit/log.ts';
import { readRegularFile } from '../../kit/regularfile.ts';
import type { Snapshot } from '../units/unit.ts';
import { cdiFileName, cdiPrefix, cdiSpec } from './cdispec.ts';
import type { CdiSpec } from './cdispec.ts';
import type { Holders } from './holders.ts';

export interface CdiFilesOptions {
  readonly directory: string;
  /** Who holds what; undefined while the kubelet has not said. */
  readonly holders: Latest<Holders | undefined>;
  readonly log: Logger;
  /** Hears of each write and removal. */
  readonly onWrite?: (result: 'ok' | 'failed') => void;
  /** Milliseconds until a write that failed is tried again. Default 10 s. */
  readonly retryMs?: number;
}

export interface CdiFiles {
  /** Brings the files to this state; resolves when they are, or could not be. Never throws. */
  update(snapshot: Snapshot): Promise<void>;
  /** Looks whether the files are still as written, and writes again what is not. Never throws. */
  refresh(): Promise<void>;
  /** Resolves when nothing is being written. Never throws. */
  settled(): Promise<void>;
  /** Why a unit cannot be named by its CDI device now; undefined when it can. */
  problemOf(resource: string, unit: string): string | undefined;
  /** By resource, why none of its units can; changes wake who advertises them. */
  readonly problems: Latest<ReadonlyMap<string, string>>;
  /** Ends the retries; the files stay, for containers restart while the agent is being replaced. */
  stop(): void;
}

/** Larger than any file of ours. */
const maxFileBytes = 64 * 1024 * 1024;

export function createCdiFiles(options: CdiFilesOptions): CdiFiles {
  const { directory, holders, log, onWrite } = options;
  const problems = new Latest<ReadonlyMap<string, string>>(new Map());
  const end = new AbortController();
  let wanted: Snapshot = new Map();
  /** What lies in the folder, by our knowledge: text and the file's identity. */
  const written = new Map<string, { readonly text: string; readonly identity: string }>();
  let specs: ReadonlyMap<string, CdiSpec> = new Map();
  let retry: NodeJS.Timeout | undefined;
  let told = '';
  /** Whether a file stays only because somebody holds a unit of it, or might. */
  let kept = false;

  const write = async (path: string, text: string): Promise<void> => {
    const before = written.get(path);
    if (before?.text === text && before.identity === (await fileIdentity(path))) return;
    try {
      if ((await readRegularFile(path, maxFileBytes).catch(() => undefined)) !== text) {
        await mkdir(directory, { recursive: true, mode: 0o755 });
        // No fsync: the folder is on tmpfs, and the agent writes all of it after a boot.
        await writeFileAtomic(path, text, { mode: 0o644, sync: false });
        onWrite?.('ok');
      }
      written.set(path, { text, identity: await fileIdentity(path) });
    } catch (thrown) {
      written.delete(path);
      onWrite?.('failed');
      throw thrown;
    }
  };

  const remove = async (path: string): Promise<void> => {
    await rm(path, { force: true });
    written.delete(path);
    onWrite?.('ok');
    log.info({ event: 'device.cdi_removed', path }, 'removed a CDI file');
  };

  /** Removes files of ours that nothing in the configuration wants and nobody holds, and what a killed agent left half-written. */
  const tidy = async (snapshot: Snapshot, keep: ReadonlySet<string>): Promise<void> => {
    kept = false;
    for (const name of await readdir(directory).catch(() => [])) {
      const path = join(directory, name);
      if (name.startsWith(temporaryPrefix + cdiPrefix)) await rm(path, { force: true });
      if (keep.has(name)) continue;
      const kind = await kindOfOurs(path, name);
      if (kind === undefined) continue;
      const spec = specs.get(kind);
      const held = holders.value === undefined || (holders.value.get(kind)?.size ?? 0) > 0;
      // A resource that is there and has no unit now: the file would name nodes that are others' tomorrow.
      if ((snapshot.has(kind) && spec?.possible === true) || !held) await remove(path);
      else kept = true;
    }
  };

  const bring = coalesce(async () => {
    if (end.signal.aborted) return;
    const snapshot = wanted;
    const failed = new Map<string, string>();
    const next = new Map([...snapshot].map(([resource, state]) => [resource, cdiSpec(state)]));
    specs = next;
    const keep = new Set<string>();
    for (const [resource, { text }] of next) {
      if (text === undefined) continue;
      const name = cdiFileName(resource);
      keep.add(name);
      await write(join(directory, name), text).catch((thrown: unknown) => failed.set(resource, messageOf(thrown)));
    }
    await tidy(snapshot, keep).catch((thrown: unknown) => failed.set('', messageOf(thrown)));
    tell(failed);
  });

  let running = Promise.resolve();
  const sync = (): Promise<void> => (running = bring());

  const tell = (failed: ReadonlyMap<string, string>): void => {
    clearTimeout(retry);
    if (failed.size > 0 && !end.signal.aborted)
      retry = setTimeout(() => void sync(), options.retryMs ?? 10_000).unref();
    const reason = [...failed].map(([resource, why]) => `${resource}: ${why}`).join('; ');
    if (reason !== told && reason !== '')
      log.error({ event: 'device.cdi_failed', directory, reason }, 'CDI files cannot be written');
    else if (reason !== told) log.info({ event: 'device.cdi_written', directory }, 'CDI files can be written again');
    const changed = reason !== told;
    told = reason;
    if (changed) problems.set(failed);
  };

  holders.onChange(() => {
    if (kept) void sync();
  }, end.signal);

  return {
    update: (snapshot) => {
      wanted = snapshot;
      return sync();
    },
    refresh: sync,
    settled: () => running,
    problemOf: (resource, unit) => {
      const failed = problems.value.get(resource);
      if (failed !== undefined) return `its file cannot be written: ${failed}`;
      const spec = specs.get(resource);
      if (spec?.units.has(unit) === true && written.has(join(directory, cdiFileName(resource)))) return undefined;
      return spec?.problems.get(unit) ?? 'its file does not name it (yet)';
    },
    problems,
    stop: () => {
      end.abort();
      clearTimeout(retry);
    },
  };
}

/** The resource of a file that the agent wrote; undefined for everything else, whatever its name. */
async function kindOfOurs(path: string, name: string): Promise<string | undefined> {
  if (!name.startsWith(cdiPrefix) || !name.endsWith('.json')) return undefined;
  try {
    const spec: unknown = JSON.parse(await readRegularFile(path, maxFileBytes));
    const kind = typeof spec === 'object' && spec !== null && 'kind' in spec ? spec.kind : undefined;
    return typeof kind === 'string' && cdiFileName(kind) === name ? kind : undefined;
  } catch {
    return undefined;
  }
}

/** What is another after anybody has written to a file or replaced it. */
async function fileIdentity(path: string): Promise<string> {
  const stats = await lstat(path, { bigint: true }).catch(() => undefined);
  return stats === undefined ? '' : `${stats.dev}:${stats.ino}:${stats.size}:${stats.mtimeNs}`;
}
