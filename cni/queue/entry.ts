/**
 * What waits in the queue for an agent that does not run: DEL and GC, each the request frame as it would have gone over the
 * socket, in a file named by its key, so that a repeated call replaces itself. Imported by the executable, so it imports
 * nothing. The folder is on tmpfs beside the socket: a reboot takes the pods and their queued calls together.
 */

/** The folder, beside the socket. */
export const queueFolder = 'queue';
/** Prefix of files that are being written; they become entries by a rename. */
export const unfinishedPrefix = '.tmp-';

/** Far more pods than a node runs; beyond it the runtime has to keep the call. */
export const mostEntries = 10_000;
/** Bytes of one entry: a DEL carries the pod's result and perhaps its annotations, a GC some hundred containers. */
export const largestEntry = 524_288;
/** Bytes of all entries together, because tmpfs is memory. */
export const largestQueue = 67_108_864;

// As cni/request.ts has them. No "/" anywhere, and no "," before the interface name: the parts stay apart and in the folder.
const containerIdPattern = /^[a-zA-Z0-9][a-zA-Z0-9_.-]{0,199}$/;
const interfacePattern = /^[!-$&-.0-9;-~]{1,15}$/;
const networkNamePattern = /^[a-zA-Z0-9][a-zA-Z0-9_.-]{0,62}$/;

/** File name of a call's entry, or undefined for a call that is not to be queued: of another kind, or without a sound key. */
export function entryName(variables: Readonly<Record<string, string>>, network: unknown): string | undefined {
  const containerID = variables['CNI_CONTAINERID'] ?? '';
  const ifname = variables['CNI_IFNAME'] ?? '';
  switch (variables['CNI_COMMAND']) {
    case 'DEL':
      return containerIdPattern.test(containerID) && interfacePattern.test(ifname)
        ? `DEL,${containerID},${ifname}`
        : undefined;
    case 'GC':
      return typeof network === 'string' && networkNamePattern.test(network) ? `GC,${network}` : undefined;
    default:
      return undefined;
  }
}

/** The attachment that an entry deletes, or undefined for any other file name. */
export function keyOfDel(name: string): { readonly containerID: string; readonly ifname: string } | undefined {
  // Only the interface's name can have a comma.
  const [, containerID, ifname] = /^DEL,([^,]+),(.+)$/.exec(name) ?? [];
  return containerID === undefined || ifname === undefined ? undefined : { containerID, ifname };
}
