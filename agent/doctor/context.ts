/** What the probes of one look at a node share: the configuration, where to read, whom to ask, and what was read already. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { BerthError } from '../../kit/errors.ts';
import { readMountInfo, parseMountInfo } from '../../linux/mountinfo.ts';
import type { MountEntry } from '../../linux/mountinfo.ts';
import { askEach } from '../commands/ask.ts';
import type { ApiObject } from '../kubernetes/transport.ts';
import type { NodeConfig } from '../nodeconfig.ts';
import type { DoctorApi } from './api.ts';
import { readText } from './reading.ts';
import type { Roots } from './roots.ts';

export interface DoctorContext {
  readonly config: NodeConfig;
  readonly roots: Roots;
  /** Undefined where nobody says which Node this is. */
  readonly nodeName: string | undefined;
  readonly api: DoctorApi;
  /** The CNI executable of this program; it need not be there. */
  readonly shimPath: string;
  /** Whether everything may be asked of the API server; an agent that looks now and then asks for its own part only. */
  readonly thorough: boolean;
  readonly signal: AbortSignal;
  /** Reads once what several probes look at. */
  readonly once: <T>(key: string, read: () => Promise<T>) => Promise<T>;
}

/** What `once` of a look needs. */
export function createOnce(): DoctorContext['once'] {
  const reads = new Map<string, Promise<unknown>>();
  return <T>(key: string, read: () => Promise<T>): Promise<T> => {
    const found = reads.get(key);
    // The key stands for the type: each has one reader.
    if (found !== undefined) return found as Promise<T>;
    const begun = read();
    reads.set(key, begun);
    return begun;
  };
}

/** A path of the node, below the root of the tree that is looked at. */
export function onHost({ roots }: Pick<DoctorContext, 'roots'>, path: string): string {
  return roots.host === '/' ? path : join(roots.host, path);
}

export async function mountsOf({ roots, once }: DoctorContext): Promise<readonly MountEntry[]> {
  if (roots.proc === '/proc') return readMountInfo();
  return await once('mountinfo', async () =>
    parseMountInfo((await readText(join(roots.proc, 'self/mountinfo'))) ?? '').map((entry) => ({
      ...entry,
      mountPoint: onHost({ roots }, entry.mountPoint).replace(/\/$/, ''),
    })),
  );
}

/** The Node object. Throws with what to do when nobody says which one, and as the API client does. */
export async function nodeOf({ api, nodeName, once, signal }: DoctorContext): Promise<ApiObject> {
  if (nodeName === undefined)
    throw new BerthError('FAILED_PRECONDITION', 'nobody says which Node this is: set NODE_NAME or agent.nodeName');
  return await once('node', () => api.get(`/api/v1/nodes/${encodeURIComponent(nodeName)}`, signal));
}

/** The answers of the agent, or of its parts, to a view. */
export async function agentsOf(
  { config, roots, once }: DoctorContext,
  view: string,
): Promise<Awaited<ReturnType<typeof askEach>>> {
  return await once(`agent/${view}`, () => askEach(onHost({ roots }, config.agent.socket), view));
}

/** The built executable: beside the bundle, or in dist/ when the program runs from source. */
export function builtShimPath(): string {
  const beside = join(import.meta.dirname, 'cni/berth');
  return existsSync(beside) ? beside : join(import.meta.dirname, '../../dist/cni/berth');
}
