/** Which ranges the node's pods have: configured, or the Node's podCIDRs, remembered for starts without an API server. */
import { mkdir, readFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { writeFileAtomic } from '../kit/durablefile.ts';
import { BerthError, messageOf } from '../kit/errors.ts';
import type { Logger } from '../kit/log.ts';
import { overlap, parseNetwork } from './addresses.ts';
import type { Network } from './addresses.ts';

/** Yields the Node's podCIDRs once it has some; rejects when the signal fires. */
export type PodCidrSource = (signal: AbortSignal) => Promise<readonly string[]>;

/** How long the API server may take when the ranges of the last start are known, milliseconds. */
const patience = 2_000;

function parseRanges(texts: readonly string[], where: string): readonly Network[] {
  const networks = texts.map((text) => {
    const network = parseNetwork(text);
    if (network !== undefined) return network;
    throw new BerthError(
      'CONFIG_INVALID',
      `${where} has ${JSON.stringify(text)}, which is not an IP network; set network.podCIDR`,
    );
  });
  if (networks.length === 0 || networks.some((one, at) => networks.slice(at + 1).some((other) => overlap(one, other))))
    throw new BerthError('CONFIG_INVALID', `${where} is empty or overlaps (${texts.join(', ')}); set network.podCIDR`);
  return networks;
}

/** One range in each line. */
async function remembered(file: string): Promise<readonly Network[] | undefined> {
  try {
    return parseRanges((await readFile(file, 'utf8')).trim().split('\n'), file);
  } catch {
    return undefined;
  }
}

/**
 * The ranges. With `auto` it waits for the Node's podCIDRs; when an agent of this boot knew them (`file`, on tmpfs) and the
 * API server does not answer soon, those are used, so that pods can start while the API server is away.
 */
export async function resolvePodRanges(
  configured: string | readonly string[],
  source: PodCidrSource,
  file: string,
  log: Logger,
  signal: AbortSignal,
): Promise<readonly Network[]> {
  if (configured !== 'auto') return parseRanges([configured].flat(), 'network.podCIDR');
  const known = await remembered(file);
  signal.throwIfAborted();
  let texts: readonly string[];
  try {
    texts = await source(known === undefined ? signal : AbortSignal.any([signal, AbortSignal.timeout(patience)]));
  } catch (error) {
    signal.throwIfAborted();
    if (known === undefined) throw error;
    log.warn({ error: messageOf(error) }, "cannot ask for the Node's podCIDRs; going on with those of the last start");
    return known;
  }
  const ranges = parseRanges(texts, "the Node's list of podCIDRs");
  await remember(file, texts, log);
  return ranges;
}

/** For the next start. That this one cannot is no reason to leave the node without a network. */
async function remember(file: string, texts: readonly string[], log: Logger): Promise<void> {
  try {
    await mkdir(dirname(file), { recursive: true, mode: 0o700 });
    await writeFileAtomic(file, `${texts.join('\n')}\n`, { sync: false });
  } catch (error) {
    log.warn(
      { file, error: messageOf(error) },
      "cannot write the Node's podCIDRs down for a start without the API server",
    );
  }
}
