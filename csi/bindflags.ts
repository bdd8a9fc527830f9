/** Mount flags of volumes that are shown by bind mounts of one filesystem: each can have some of its own, and not the others. */
import { BerthError } from '../kit/errors.ts';
import { bindAttributes } from '../linux/mountoptions.ts';

/** What every volume has: a pod must not bring programs and device nodes that mean more on the node than in the pod. */
const always = ['nosuid', 'nodev'];

/** The options for the bind mount. Throws FAILED_PRECONDITION for flags that it could not have. */
export function bindOptions(what: string, flags: readonly string[]): readonly string[] {
  const { refused } = bindAttributes(flags);
  if (refused.length === 0) return [...flags, ...always];
  throw new BerthError(
    'FAILED_PRECONDITION',
    `a ${what} shares its filesystem's settings with others and cannot have the mount flags ${refused.join(',')}; take them out of mountOptions`,
  );
}
