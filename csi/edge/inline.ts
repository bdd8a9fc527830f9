/** The attributes of an inline ephemeral volume: whoever may make a pod chooses them, so they are a short closed list. */
import { quote } from '../../kit/quote.ts';
import { parseQuantity } from '../quantity.ts';
import type { WantedUse } from '../volume.ts';
import { invalid } from './fields.ts';

const ephemeralKey = 'csi.storage.k8s.io/ephemeral';
const known = ['size', 'pool'] as const;

/** Whether the kubelet says that the pod's own specification defines the volume (CSIDriver.podInfoOnMount). */
export function isInline(context: Readonly<Record<string, string>>): boolean {
  return context[ephemeralKey] === 'true';
}

export interface InlineAttributes {
  /** In bytes. */
  readonly size: bigint | undefined;
  readonly pool: string | undefined;
}

/** Throws INVALID_ARGUMENT for an attribute that is not in the list, a size that is none, and raw block. */
export function decodeInline(context: Readonly<Record<string, string>>, use: WantedUse): InlineAttributes {
  if (use.kind === 'block') throw invalid('an inline ephemeral volume is a filesystem, raw block asked');
  for (const key of Object.keys(context)) {
    if (key.startsWith('csi.storage.k8s.io/') || (known as readonly string[]).includes(key)) continue;
    throw invalid(`volumeAttribute ${quote(key)} is unknown; a pod may set ${known.join(', ')}`);
  }
  const text = context['size'];
  const size = text === undefined ? undefined : parseQuantity(text);
  if (text !== undefined && (size === undefined || size === 0n))
    throw invalid(`volumeAttribute size ${quote(text, 32)} is no size; write it as 500Mi`);
  return { size, pool: context['pool'] };
}
