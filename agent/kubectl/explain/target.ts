/** What `explain` is asked about: `pod/NAME`, `pvc NAME`, `device/PATH@NODE`, `resource/NAME`. Pure. */
import { BerthError } from '../../../kit/errors.ts';
import { quote } from '../../../kit/quote.ts';

export type Target =
  | { readonly kind: 'pod' | 'pvc' | 'resource'; readonly name: string }
  | { readonly kind: 'device'; readonly path: string; readonly node: string };

const kinds: Readonly<Record<string, Target['kind']>> = {
  ...{ pod: 'pod', pods: 'pod', po: 'pod' },
  ...{ pvc: 'pvc', persistentvolumeclaim: 'pvc', persistentvolumeclaims: 'pvc', claim: 'pvc' },
  ...{ device: 'device', devices: 'device', resource: 'resource', resources: 'resource' },
};

/** Throws INVALID_ARGUMENT with what is expected. */
export function targetOf(words: readonly string[]): Target {
  const [first = '', second] = words;
  const slash = first.indexOf('/');
  const word = second !== undefined || slash === -1 ? first : first.slice(0, slash);
  const name = second ?? (slash === -1 ? '' : first.slice(slash + 1));
  const kind = Object.hasOwn(kinds, word) ? kinds[word] : undefined;
  if (kind === undefined || name === '')
    throw new BerthError(
      'INVALID_ARGUMENT',
      `${quote(words.join(' '))} cannot be explained; expected pod/NAME, pvc/NAME, device/PATH@NODE or resource/NAME`,
    );
  if (kind !== 'device') return { kind, name };
  const at = name.lastIndexOf('@');
  const [path, node] = [name.slice(0, at), name.slice(at + 1)];
  if (at < 1 || node === '')
    throw new BerthError('INVALID_ARGUMENT', `say on which node: device/${path === '' ? name : path}@NODE`);
  // `device//dev/x@n`, `device/dev/x@n` and `device/ttyUSB0@n` mean the same.
  const full = /^(\/|[bc]\d+:)/.test(path) ? path : path.startsWith('dev/') ? `/${path}` : `/dev/${path}`;
  return { kind, path: full, node };
}
