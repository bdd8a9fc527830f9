/**
 * The agent's side of the queue: does what was asked while no agent ran, in the order it was asked. Called after the socket
 * listens and before the first call is served, so that a call is either in the queue by then or comes over the socket.
 */
import { constants } from 'node:fs';
import { lstat, mkdir, open, readdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { errnoOf, messageOf } from '../../kit/errors.ts';
import type { Logger } from '../../kit/log.ts';
import { FrameReader, cniCode } from '../protocol.ts';
import { decodeHeader } from '../requestheader.ts';
import type { Reply } from '../server.ts';
import { entryName, largestEntry, unfinishedPrefix } from './entry.ts';

export interface QueuedCall {
  readonly variables: Readonly<Record<string, string>>;
  readonly stdin: Uint8Array;
  /** When it was queued, milliseconds since 1970. */
  readonly since: number;
}

export type ReplayResult = 'done' | 'kept' | 'refused';

export interface ReplayParts {
  readonly folder: string;
  /** Where files go that are no calls. */
  readonly refusedFolder: string;
  /** Does a call as one from the socket is done, with all its checks. Never rejects. */
  readonly perform: (call: QueuedCall) => Promise<Reply>;
  readonly count: (result: ReplayResult) => void;
  readonly log: Logger;
}

// DELs at once: their links are then deleted together, which costs as much as deleting one.
const atOnce = 64;
/** Files set aside; more stay where they are, so that nothing can fill the tmpfs. */
const mostRefused = 100;
/** Codes after which the same call can succeed later; with any other it is no better the next time. */
const passing: readonly unknown[] = [cniCode.tryAgainLater, cniCode.ioFailure, cniCode.internal];

interface Found {
  readonly name: string;
  readonly since: number;
}

/** Replays the queue. Returns how many entries stay because they failed for a passing reason. Never rejects. */
export async function replayQueue(parts: ReplayParts): Promise<number> {
  try {
    let kept = 0;
    for (const batch of inBatches(await list(parts))) {
      const results = await Promise.all(batch.map((found) => replayOne(parts, found)));
      for (const result of results) {
        parts.count(result);
        if (result === 'kept') kept++;
      }
    }
    return kept;
  } catch (error) {
    parts.log.error({ folder: parts.folder, error: messageOf(error) }, 'the queue of CNI calls cannot be read');
    return 0;
  }
}

async function list({ folder, log }: ReplayParts): Promise<Found[]> {
  let names: string[];
  try {
    names = await readdir(folder);
  } catch (error) {
    // The executable makes it with its first entry.
    if (errnoOf(error) === 'ENOENT') return [];
    throw error;
  }
  const found: Found[] = [];
  for (const name of names) {
    if (name.startsWith(unfinishedPrefix)) {
      // Of an executable that was killed. One that still writes notices, and asks us over the socket.
      await rm(join(folder, name), { force: true }).catch((error: unknown) => {
        log.error({ file: join(folder, name), error: messageOf(error) }, 'this file in the queue cannot be removed');
      });
      continue;
    }
    const state = await lstat(join(folder, name)).catch(() => undefined);
    if (state !== undefined) found.push({ name, since: state.mtimeMs });
  }
  return found.sort((a, b) => a.since - b.since);
}

/** DELs that follow each other may go together, as each has its own key; a GC waits for those before it. */
function inBatches(found: readonly Found[]): Found[][] {
  const batches: Found[][] = [];
  for (const entry of found) {
    const last = batches.at(-1);
    const together = entry.name.startsWith('DEL,') && last?.[0]?.name.startsWith('DEL,') && last.length < atOnce;
    if (together === true) last?.push(entry);
    else batches.push([entry]);
  }
  return batches;
}

async function replayOne(parts: ReplayParts, { name, since }: Found): Promise<ReplayResult> {
  const file = join(parts.folder, name);
  let call: QueuedCall;
  try {
    call = { ...decode(name, await readBounded(file)), since };
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return 'done';
    return await setAside(parts, name, messageOf(error));
  }
  const reply = await parts.perform(call);
  if (reply.exit === 0) {
    await rm(file, { force: true });
    parts.log.info({ call: name }, 'a queued CNI call is done');
    return 'done';
  }
  if (!passing.includes(codeOf(reply.stdout))) return await setAside(parts, name, reply.stdout);
  parts.log.error({ call: name, answer: reply.stdout }, 'a queued CNI call failed and stays in the queue');
  return 'kept';
}

/** The content of a file, without following a link, waiting for a pipe or reading more than an entry can have. */
async function readBounded(file: string): Promise<Buffer> {
  const handle = await open(file, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  try {
    const state = await handle.stat();
    if (!state.isFile()) throw new Error('it is not a file');
    if (state.size > largestEntry) throw new Error(`it has ${state.size} bytes, an entry at most ${largestEntry}`);
    return await handle.readFile();
  } finally {
    await handle.close();
  }
}

function decode(name: string, bytes: Uint8Array): Omit<QueuedCall, 'since'> {
  const frame = new FrameReader().push(bytes);
  if (frame === undefined) throw new Error('it is cut short');
  const decoded = decodeHeader(frame.header);
  if ('refusal' in decoded) throw new Error(decoded.refusal);
  const config: unknown = JSON.parse(new TextDecoder().decode(frame.body));
  const network = typeof config === 'object' && config !== null && 'name' in config ? config.name : undefined;
  if (entryName(decoded.variables, network) !== name) throw new Error('its name is not that of its content');
  return { variables: decoded.variables, stdin: frame.body };
}

function codeOf(answer: string): unknown {
  return (JSON.parse(answer) as { readonly code?: unknown }).code;
}

/** Moves what is no call out of the queue, for people to look at: nothing unknown is removed, and nothing is tried for ever. */
async function setAside({ folder, refusedFolder, log }: ReplayParts, name: string, reason: string): Promise<'refused'> {
  const file = join(folder, name);
  try {
    await mkdir(refusedFolder, { recursive: true, mode: 0o700 });
    if ((await readdir(refusedFolder)).length >= mostRefused)
      throw new Error(`${refusedFolder} has ${mostRefused} files already; remove them`);
    await rename(file, join(refusedFolder, name));
    log.error({ file: join(refusedFolder, name), reason }, 'this file in the queue is no call and was set aside');
  } catch (error) {
    log.error({ file, reason, error: messageOf(error) }, 'this file in the queue is no call and cannot be set aside');
  }
  return 'refused';
}
