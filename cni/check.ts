/** CHECK: is an attachment still as ADD left it? Record, both ends, the node's routes, addresses and default routes. */
import type { Family } from '../linux/ipaddress.ts';
import type { RouteSocket, ShapeState } from '../linux/rtnetlink/rtnetlink.ts';
import { hostNetwork } from './addresses.ts';
import { keyText } from './attachment.ts';
import type { Attachment, AttachmentLimits } from './attachment.ts';
import { CniError } from './errors.ts';
import { defaultRoutes } from './plan.ts';
import { cniCode } from './protocol.ts';
import type { CniRequest } from './request.ts';

export type CheckRequest = Extract<CniRequest, { command: 'CHECK' }>;

/**
 * Throws a CniError that says what differs. Changes of plugins that come after us (more addresses, more routes) are fine.
 * `openSandbox` opens a socket in the pod's namespace; it is closed here.
 */
export async function checkAttachment(
  request: CheckRequest,
  attachment: Attachment | undefined,
  host: RouteSocket,
  openSandbox: () => RouteSocket,
): Promise<void> {
  const broken = (what: string): CniError =>
    new CniError(cniCode.attachmentBroken, `the attachment ${keyText(request.key)} is not as it should be: ${what}`);
  if (attachment?.state !== 'active') throw broken('berth knows no such attachment');
  const missing = attachment.addresses.filter((address) => !request.addresses.includes(hostNetwork(address)));
  if (missing.length > 0) throw broken(`prevResult lacks its address ${missing.join(', ')}`);
  const hostLink = await host.link(attachment.host.name);
  if (hostLink?.index !== attachment.host.index || !hostLink.up)
    throw broken(`the node's link ${attachment.host.name} is gone or down`);
  const toPods = await listBoth((family) => host.routes(family));
  for (const address of attachment.addresses)
    if (!toPods.some((route) => route.index === hostLink.index && route.destination === hostNetwork(address)))
      throw broken(`the node has no route to ${address} over ${attachment.host.name}`);
  if (attachment.limits !== undefined) {
    const reason = limitDefect(attachment.limits, hostLink.index, await host.shapes());
    if (reason !== undefined) throw broken(reason);
  }
  const socket = openSandbox();
  try {
    const reason = await sandboxDefect(attachment, socket);
    if (reason !== undefined) throw broken(`in ${request.netns}, ${reason}`);
  } finally {
    socket.close();
  }
}

function limitDefect(
  { ingress, egress }: AttachmentLimits,
  hostIndex: number,
  shapes: readonly ShapeState[],
): string | undefined {
  const limited = (index: number, rate: number): boolean =>
    shapes.some((shape) => shape.index === index && shape.rate === rate);
  if (ingress !== undefined && !limited(hostIndex, ingress.rate)) return 'what it receives is not limited as asked';
  if (egress !== undefined && !limited(egress.index, egress.rate)) return 'what it sends is not limited as asked';
  return undefined;
}

async function sandboxDefect({ sandbox, addresses }: Attachment, socket: RouteSocket): Promise<string | undefined> {
  const link = await socket.link(sandbox.name);
  if (link?.index !== sandbox.index || !link.up) return `${sandbox.name} is gone, down or another link`;
  const present = await listBoth((family) => socket.addresses(family));
  for (const address of addresses)
    if (!present.some((entry) => entry.index === sandbox.index && entry.address === hostNetwork(address)))
      return `${sandbox.name} lacks the address ${address}`;
  const routes = await listBoth((family) => socket.routes(family));
  const missing = defaultRoutes(addresses).find(
    ({ dst, gw }) => !routes.some((route) => route.destination === dst && route.via === gw),
  );
  return missing === undefined ? undefined : `there is no route to ${missing.dst} over ${missing.gw}`;
}

async function listBoth<T>(list: (family: Family) => Promise<readonly T[]>): Promise<readonly T[]> {
  return [...(await list(4)), ...(await list(6))];
}
