/** What the kernel's refusal of an ADD means for the person who has to act. */
import { RouteError } from '../linux/rtnetlink/rtnetlink.ts';
import type { LinkState } from '../linux/rtnetlink/rtnetlink.ts';
import type { Attachment } from './attachment.ts';
import { CniError } from './errors.ts';
import { cniCode } from './protocol.ts';

/** `namesake`: a link of the node with the name of the attachment's, once that is undone. What is taken is the runtime's or another plugin's mistake and not the kernel's; everything else stays what it is. */
export function explainRefusal(error: unknown, attachment: Attachment, namesake: LinkState | undefined): unknown {
  if (!(error instanceof RouteError) || error.code !== 'EEXIST') return error;
  if (error.request?.op === 'add-route' && error.request.via !== undefined)
    return new CniError(
      cniCode.invalidNetworkConfig,
      `${attachment.netns.path} has a route to ${error.request.destination} that berth did not make: a plugin before it in the list must leave that one to berth`,
      { cause: error },
    );
  if (error.request?.op !== 'create-veth') return error;
  if (namesake !== undefined)
    return new CniError(
      cniCode.ioFailure,
      `the node has a link ${namesake.name} that berth did not make, and that this container's is to be called; remove or rename it`,
      { cause: error },
    );
  return new CniError(
    cniCode.invalidEnvironment,
    `CNI_IFNAME: ${attachment.netns.path} has an interface ${attachment.ifname} that berth did not make`,
    { cause: error },
  );
}
