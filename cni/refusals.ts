/** What the kernel's refusal of an ADD means for the person who has to act. */
import { RouteError } from '../linux/rtnetlink/rtnetlink.ts';
import type { LinkState, RouteSocket } from '../linux/rtnetlink/rtnetlink.ts';
import type { Attachment } from './attachment.ts';
import { CniError } from './errors.ts';
import { cniCode } from './protocol.ts';

/** Links that have the names of an attachment's. */
export interface Namesakes {
  readonly onNode: LinkState | undefined;
  readonly inPod: LinkState | undefined;
}

/**
 * The error of an ADD that has been undone. Of one of the kernel that says something is taken it is found out what.
 * `openSandbox` opens a socket in the pod's namespace; it is closed here.
 */
export async function explainRefusal(
  error: unknown,
  attachment: Attachment,
  host: RouteSocket,
  openSandbox: () => RouteSocket,
): Promise<unknown> {
  if (!isTaken(error)) return error;
  const inside = openSandbox();
  try {
    const onNode = await host.link(attachment.host.name);
    return refusalOf(error, attachment, { onNode, inPod: await inside.link(attachment.sandbox.name) });
  } finally {
    inside.close();
  }
}

function isTaken(error: unknown): error is RouteError {
  return error instanceof RouteError && error.code === 'EEXIST';
}

/** What is taken is the runtime's or another plugin's mistake and not the kernel's; everything else stays what it is. Pure. */
export function refusalOf(error: RouteError, attachment: Attachment, { onNode, inPod }: Namesakes): Error {
  if (error.request?.op === 'add-route' && error.request.via !== undefined)
    return new CniError(
      cniCode.invalidNetworkConfig,
      `${attachment.netns.path} has a route to ${error.request.destination} that berth did not make: a plugin before it in the list must leave that one to berth`,
      { cause: error },
    );
  if (error.request?.op !== 'create-veth') return error;
  if (onNode !== undefined)
    return new CniError(
      cniCode.ioFailure,
      `the node has a link ${onNode.name} that berth did not make, and that this container's is to be called; remove or rename it`,
      { cause: error },
    );
  if (inPod !== undefined)
    return new CniError(
      cniCode.invalidEnvironment,
      `CNI_IFNAME: ${attachment.netns.path} has an interface ${attachment.ifname} that berth did not make`,
      { cause: error },
    );
  return new CniError(
    cniCode.tryAgainLater,
    'an interface index that was picked at random for the container is taken; the next ADD picks others',
    { cause: error },
  );
}
