/**
 * Looks at a node: every probe that its configuration asks for, each with a time limit. Starts no program and changes nothing.
 * What one probe cannot find out is its own finding, never the end of the others.
 */
import { messageOf } from '../../kit/errors.ts';
import { inClusterAccess, kubeconfigAccess } from '../kubernetes/access.ts';
import type { NodeConfig } from '../nodeconfig.ts';
import { createDoctorApi } from './api.ts';
import { catalogue, linkOf } from './catalogue.ts';
import { builtShimPath, createOnce } from './context.ts';
import type { DoctorContext } from './context.ts';
import { unknown } from './finding.ts';
import type { Finding, Verdict } from './finding.ts';
import type { Probe } from './probe.ts';
import { machineRoots } from './roots.ts';
import type { Roots } from './roots.ts';

/** Milliseconds for one probe. */
const usualLimit = 4_000;

export interface DoctorOptions {
  readonly signal: AbortSignal;
  readonly env?: Readonly<Record<string, string | undefined>>;
  readonly roots?: Roots;
  /** The CNI executable to compare the installed one with. Default: this program's. */
  readonly shimPath?: string;
  /** IDs that are left out. */
  readonly skip?: ReadonlySet<string>;
  /** Also the rights of the sidecars: fifty small requests to the API server. Default false. */
  readonly thorough?: boolean;
  /** Milliseconds for one probe. */
  readonly limitMs?: number;
}

/**
 * The findings in the order of the catalogue. Never throws but for a signal that was aborted. One look at a time: of two at once the
 * later finds probes of the earlier unanswered.
 */
export async function runDoctor(config: NodeConfig, options: DoctorOptions): Promise<readonly Finding[]> {
  const { signal, env = {}, roots = machineRoots, skip, thorough = false, limitMs = usualLimit } = options;
  const { kubeconfig, nodeName = env['NODE_NAME'] } = config.agent;
  const api = createDoctorApi(kubeconfig === undefined ? inClusterAccess(env) : kubeconfigAccess(kubeconfig));
  const shared: Omit<DoctorContext, 'signal'> = {
    config,
    roots,
    nodeName: nodeName === '' ? undefined : nodeName,
    api,
    shimPath: options.shimPath ?? builtShimPath(),
    thorough,
    once: createOnce(),
  };
  try {
    const lookAt = async (probes: readonly Probe[]): Promise<Finding[]> => {
      const findings: Finding[] = [];
      for (const probe of probes) {
        if (skip?.has(probe.id) === true) continue;
        signal.throwIfAborted();
        const verdict = await verdictOf(probe, shared, signal, limitMs);
        if (verdict === undefined) continue;
        const { id, title } = probe;
        findings.push({ id, title, ...verdict, link: linkOf(id) });
      }
      return findings;
    };
    // Groups do not wait for each other: an API server that is gone takes each of its probes to the limit.
    return (await Promise.all(catalogue.map(({ probes }) => lookAt(probes)))).flat();
  } finally {
    api.close();
  }
}

/** Probes whose reading has not ended, of this or an earlier look: another one would hold one thread more, for ever. */
const stuck = new Set<string>();

async function verdictOf(
  probe: Probe,
  shared: Omit<DoctorContext, 'signal'>,
  signal: AbortSignal,
  limitMs: number,
): Promise<Verdict | undefined> {
  if (stuck.has(probe.id)) return unknown('what an earlier look has asked for is not answered yet');
  const limit = new AbortController();
  const { promise: late, resolve } = Promise.withResolvers<Verdict>();
  const timer = setTimeout(() => {
    limit.abort();
    resolve(
      unknown(`no answer within ${limitMs / 1_000} s; something that is read does not answer (a disk, a server)`),
    );
  }, limitMs);
  try {
    const looking = probe.look({ ...shared, signal: AbortSignal.any([signal, limit.signal]) });
    if (looking === undefined) return undefined;
    stuck.add(probe.id);
    const ended = looking.then(
      (verdict) => verdict,
      (error: unknown) => unknown(`it could not be found out: ${messageOf(error)}`),
    );
    void ended.finally(() => stuck.delete(probe.id));
    return await Promise.race([ended, late]);
  } finally {
    clearTimeout(timer);
  }
}
