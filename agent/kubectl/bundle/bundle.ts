/** `kubectl berth bundle`: a support archive of what Berth is and does on all nodes, without secrets. */
import { open, rm } from 'node:fs/promises';
import { mapBounded } from '../../../kit/bounded.ts';
import { BerthError, errnoOf, messageOf } from '../../../kit/errors.ts';
import { agentsOf, listAgentPods, whyRefused } from '../agents.ts';
import { sizeText } from '../../commands/cells.ts';
import type { Session } from '../command.ts';
import { seenOr } from '../seen.ts';
import { archiveOf } from './archive.ts';
import type { Collected } from './archive.ts';
import { piecesOf } from './collect.ts';
import type { Piece } from './collect.ts';
import { redactLines, redactText, redactValue } from './redact.ts';

export interface BundleArguments {
  /** Path of the file; made up when it is undefined. */
  readonly file?: string;
  readonly overwrite: boolean;
}

const MiB = 2 ** 20;
/** Of one piece, and of all. */
const mostOfOne = 16 * MiB;
const mostOfAll = 256 * MiB;
const atOnce = 8;
const patienceMs = 60_000;

/** Writes the archive; says what could not be had. Resolves to the exit code. */
export async function bundle(session: Session, { file, overwrite }: BundleArguments): Promise<number> {
  const name = `berth-bundle-${new Date(session.now)
    .toISOString()
    .replace(/\.\d+Z$/, 'Z')
    .replaceAll(':', '')}`;
  const path = file ?? `${name}.tar.gz`;
  // Before anything is asked: gathering takes a while.
  const target = await create(path, overwrite);
  let written = false;
  try {
    const pods = await listAgentPods(session.kubectl, session.berthNamespace);
    const found = seenOr(pods, []);
    const agents = agentsOf(found);
    const namespaces = [...new Set([session.berthNamespace, ...agents.map(({ namespace }) => namespace)])];
    const pieces = piecesOf(agents, found, namespaces);
    session.tell(`gathering ${pieces.length} pieces from ${agents.length} nodes`);
    const collected = (await mapBounded(pieces, atOnce, (piece) => collect(session, piece))).flat();
    const unseen: readonly Collected[] = 'unseen' in pods ? [{ path: 'nodes', failure: pods.why }] : [];
    const { bytes, files, missing } = archiveOf(name, [...unseen, ...collected], mostOfAll);
    await target.writeFile(bytes);
    await target.sync();
    written = true;
    for (const sentence of missing) session.tell(`missing: ${sentence}`);
    session.print(`${path}: ${files} files, ${sizeText(bytes.length)}\n`);
    return 0;
  } finally {
    await target.close();
    if (!written) await rm(path, { force: true });
  }
}

/** For the user's eyes only. */
async function create(path: string, overwrite: boolean): Promise<Awaited<ReturnType<typeof open>>> {
  // Not written into: what is there may be a link, or open to others.
  if (overwrite) await rm(path, { force: true });
  try {
    return await open(path, 'wx', 0o600);
  } catch (cause) {
    const why = errnoOf(cause) === 'EEXIST' ? `${path} is there already; --overwrite replaces it` : messageOf(cause);
    throw new BerthError('ALREADY_EXISTS', why, { cause });
  }
}

async function collect({ kubectl }: Session, piece: Piece): Promise<readonly Collected[]> {
  const { path, args, form, codes = [0], optional } = piece;
  try {
    const ran = await kubectl(args, { ms: patienceMs, bytes: mostOfOne, cut: form === 'lines' });
    const useful = codes.includes(ran.code) && (ran.stdout !== '' || ran.code === 0);
    if (!useful) return optional === true ? [] : [{ path, failure: redactText(whyRefused(ran.stderr, ran.code)) }];
    if (form === 'lines')
      return [{ path, text: redactLines(ran.stdout), cut: Buffer.byteLength(ran.stdout) >= mostOfOne }];
    if (ran.stdout.trim() === '') return [];
    return [{ path, text: `${JSON.stringify(redactValue(JSON.parse(ran.stdout) as unknown), null, 1)}\n` }];
  } catch (error) {
    if (error instanceof BerthError && error.code === 'UNAVAILABLE') throw error;
    return [{ path, failure: redactText(messageOf(error)) }];
  }
}
