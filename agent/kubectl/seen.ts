/** Reading objects with whatever rights the user has: what cannot be seen is a value with its reason, and no end of the rest. */
import { BerthError, messageOf } from '../../kit/errors.ts';
import { harmless } from '../commands/harmless.ts';
import type { Kubectl } from './kubectl.ts';

/** `forbidden`: a right is missing, which the sentence names. `absent`: the cluster has no such kind. */
export interface Unseen {
  readonly unseen: 'forbidden' | 'absent' | 'failed';
  /** A sentence without an end. */
  readonly why: string;
}
export type Seen<T> = { readonly seen: T } | Unseen;

/** What was seen, or this in its stead. */
export function seenOr<T, D>(sight: Seen<T>, otherwise: D): T | D {
  return 'seen' in sight ? sight.seen : otherwise;
}

/**
 * The objects that `kubectl get KIND …` lists. `args` is what follows `get`. Throws UNAVAILABLE when no cluster can be asked at
 * all, with kubectl's words.
 */
export async function listObjects<T>(kubectl: Kubectl, args: readonly string[]): Promise<Seen<readonly T[]>> {
  const seen = await getObject<{ readonly items?: readonly T[] }>(kubectl, args);
  return 'seen' in seen ? { seen: seen.seen?.items ?? [] } : seen;
}

/** One object, undefined where there is none of the name; otherwise as `listObjects`. */
export async function getObject<T>(kubectl: Kubectl, args: readonly string[]): Promise<Seen<T | undefined>> {
  try {
    const ran = await kubectl(['get', '-o', 'json', '--ignore-not-found', ...args]);
    if (ran.code !== 0) return whyUnseen(args[0] ?? '', ran.stderr);
    return { seen: ran.stdout.trim() === '' ? undefined : (JSON.parse(ran.stdout) as T) };
  } catch (error) {
    if (error instanceof BerthError && error.code === 'UNAVAILABLE') throw error;
    return { unseen: 'failed', why: messageOf(error) };
  }
}

const unreachable =
  /connection to the server \S+ was refused|unable to connect to the server|context .* does not exist|error in configuration|context was not found|must be logged in|invalid configuration|error loading config|no such host|dial tcp|cluster .* does not exist|auth info .* does not exist|getting credentials/i;

/** What kubectl's refusal means. Throws UNAVAILABLE where no cluster answers. */
export function whyUnseen(kind: string, stderr: string): Unseen {
  const said = harmless(stderr.trim().split('\n').at(-1) ?? '').slice(0, 500);
  if (unreachable.test(stderr)) throw new BerthError('UNAVAILABLE', said.replace(/^error: /, ''));
  const right = missingRight(stderr);
  if (right !== undefined) return { unseen: 'forbidden', why: `you may not ${right}` };
  if (/doesn't have a resource type|could not find the requested resource/.test(stderr))
    return { unseen: 'absent', why: `this cluster has no ${kind}` };
  return { unseen: 'failed', why: said === '' ? `kubectl get ${kind} failed without a word` : said };
}

/** The right that an answer `Forbidden` asks for: `list pods in all namespaces`. */
export function missingRight(stderr: string): string | undefined {
  const found =
    /cannot (\w+) resource "([\w./-]+)" in API group "([\w.-]*)"(?: in the namespace "([\w.-]+)"| at the cluster scope)?/.exec(
      stderr,
    );
  if (found === null) return undefined;
  const [, verb = '', resource = '', group = '', namespace] = found;
  const name = group === '' ? resource : `${resource}.${group}`;
  return `${verb} ${name} ${namespace === undefined ? 'at the cluster scope' : `in the namespace ${namespace}`}`;
}
