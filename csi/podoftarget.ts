/** Which pod a target path of the kubelet's belongs to. */
import { relative } from 'node:path';
import { isPodUid } from '../linux/podcgroup.ts';

/** The UID of the pod whose target it is, or undefined: `pods/UID/volumes/…` or, raw block, `…/volumeDevices/publish/PV/UID`. */
export function podOfTarget(kubeletRoot: string, target: string): string | undefined {
  const path = relative(kubeletRoot, target);
  const [, filesystem] = /^pods\/([^/]+)\/volumes\//.exec(path) ?? [];
  const [, block] = /^plugins\/kubernetes\.io\/csi\/volumeDevices\/publish\/[^/]+\/([^/]+)$/.exec(path) ?? [];
  const uid = filesystem ?? block;
  return uid !== undefined && isPodUid(uid) ? uid : undefined;
}
