/** The pod ranges Kubernetes gave this Node (`spec.podCIDRs`), waited for at first, kept on disk for later starts. */
import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { defaultBackoff, delayOf, pause } from '../../kit/backoff.ts';
import type { BackoffSchedule } from '../../kit/backoff.ts';
import { writeFileAtomic } from '../../kit/durablefile.ts';
import { asBerthError, BerthError, errnoOf, messageOf } from '../../kit/errors.ts';
import type { Logger } from '../../kit/log.ts';
import type { ApiClient } from './client.ts';

const nodeSchema = z.object({
  spec: z.object({ podCIDR: z.string().optional(), podCIDRs: z.array(z.string()).optional() }),
});
const savedSchema = z.object({ version: z.literal(1), nodeName: z.string(), podCIDRs: z.array(z.string()).min(1) });
const fileName = 'podranges.json';

export interface PodRangesSource {
  readonly client: ApiClient;
  readonly nodeName: string;
  /** Folder that outlives a reboot; made when it is missing. */
  readonly stateDir: string;
  readonly log: Logger;
  readonly schedule?: BackoffSchedule;
}

/**
 * The CIDRs of the Node, asked from the API. While the API cannot be reached, those of the last start are used, so
 * that a node comes up without its control plane. Without them it waits: the Node may not be registered yet, or have
 * no range yet. Only `signal` ends the wait (UNAVAILABLE).
 */
export async function readPodRanges(source: PodRangesSource, signal: AbortSignal): Promise<readonly string[]> {
  const { client, nodeName, log } = source;
  const schedule = source.schedule ?? defaultBackoff;
  let reported = '';
  for (let attempt = 0; await pause(delayOf(schedule, attempt), signal); attempt += 1) {
    let reason: string;
    try {
      const ranges = rangesOf(await client.get(`/api/v1/nodes/${encodeURIComponent(nodeName)}`, signal), nodeName);
      if (ranges.length > 0) {
        await save(source, ranges);
        return ranges;
      }
      reason = `Node ${nodeName} has no spec.podCIDRs yet; if it stays so, start kube-controller-manager with --allocate-node-cidrs or set network.podCIDR`;
    } catch (error) {
      const failure = asBerthError(error);
      if (failure.code === 'UNAVAILABLE') {
        const saved = await readSaved(source);
        if (saved !== undefined) {
          log.warn({ event: 'podranges.saved_used', podCIDRs: saved }, failure.message);
          return saved;
        }
      }
      reason = failure.message;
    }
    if (reason !== reported) log.warn({ event: 'podranges.waiting' }, reason);
    reported = reason;
  }
  throw new BerthError(
    'UNAVAILABLE',
    `stopped waiting for the pod ranges of Node ${nodeName}: ${reported || 'not asked yet'}`,
  );
}

function rangesOf(object: unknown, nodeName: string): readonly string[] {
  const node = nodeSchema.safeParse(object);
  if (!node.success) throw new BerthError('INTERNAL', `the API answered for Node ${nodeName} with something else`);
  const { podCIDR, podCIDRs } = node.data.spec;
  return podCIDRs ?? (podCIDR === undefined ? [] : [podCIDR]);
}

/** What an earlier start saved for this very Node, or undefined. A damaged file counts as none: it can be asked again. */
async function readSaved({ stateDir, nodeName, log }: PodRangesSource): Promise<readonly string[] | undefined> {
  try {
    const saved = savedSchema.parse(JSON.parse(await readFile(join(stateDir, fileName), 'utf8')));
    return saved.nodeName === nodeName ? saved.podCIDRs : undefined;
  } catch (error) {
    if (errnoOf(error) !== 'ENOENT') log.warn({ event: 'podranges.saved_unusable' }, messageOf(error));
    return undefined;
  }
}

/** Not being able to save costs only the next start without an API server, so it is reported and nothing more. */
async function save(source: PodRangesSource, podCIDRs: readonly string[]): Promise<void> {
  const { stateDir, nodeName, log } = source;
  const before = await readSaved(source);
  if (before !== undefined && before.join() === podCIDRs.join()) return;
  if (before !== undefined)
    log.warn({ event: 'podranges.changed', before, podCIDRs }, 'the pod ranges of this Node changed');
  try {
    await mkdir(stateDir, { recursive: true, mode: 0o700 });
    const content = `${JSON.stringify({ version: 1, nodeName, podCIDRs })}\n`;
    await writeFileAtomic(join(stateDir, fileName), content, { sync: true, mode: 0o600 });
  } catch (error) {
    log.error({ event: 'podranges.save_failed' }, messageOf(error));
  }
}
