/** Rate limits of an attachment: what was asked in bits becomes token buckets in bytes, and those become requests. Pure. */
import type { RouteRequest, ShapeLink } from '../linux/rtnetlink/requests.ts';
import { linkAlias, linkGroup, queueLinkName } from './attachment.ts';
import type { Attachment, AttachmentLimits } from './attachment.ts';
import type { AttachmentKey } from './request.ts';
import type { Bandwidth } from './wishes.ts';

const bitsPerByte = 8;
/** Runtimes that have no burst to ask for send 2^32-1 bits or more, which would let a pod run free for its first minute. */
const noOpinion = 0xffff_ffff;
const largestBurst = 0xffff_ffff;
/** How long a packet may wait before it is dropped, in seconds; the same as of the reference plugin. */
const longestWait = 0.025;

type Bucket = NonNullable<AttachmentLimits['ingress']>;

/** The buckets of both directions, or undefined when neither is limited. `pickIndex` yields an interface index. */
export function limitsOf(
  key: AttachmentKey,
  bandwidth: Bandwidth | undefined,
  mtu: number,
  pickIndex: () => number,
): AttachmentLimits | undefined {
  if (bandwidth === undefined) return undefined;
  const { ingressRate, ingressBurst, egressRate, egressBurst } = bandwidth;
  return {
    ...(ingressRate === 0 ? {} : { ingress: bucketOf(ingressRate, ingressBurst, mtu) }),
    ...(egressRate === 0
      ? {}
      : { egress: { ...bucketOf(egressRate, egressBurst, mtu), link: queueLinkName(key), index: pickIndex() } }),
  };
}

function bucketOf(rateBits: number, burstBits: number, mtu: number): Bucket {
  const rate = Math.max(1, Math.floor(rateBits / bitsPerByte));
  const burst =
    burstBits >= noOpinion ? Math.max(rate * 0.05, 10 * mtu) : Math.max(burstBits / bitsPerByte, smallestBurst(mtu));
  return { rate, burst: Math.min(Math.ceil(burst), largestBurst) };
}

/** A bucket that a whole packet does not fit passes none. */
function smallestBurst(mtu: number): number {
  return mtu + 100;
}

function shape(index: number, { rate, burst }: Bucket): ShapeLink {
  return { op: 'shape-link', index, rate, burst, queue: Math.ceil(rate * longestWait) + burst };
}

/** Limits an attachment whose link is there. Repeating any of it does no harm, but for the link of the queue. */
export function limitRequests(attachment: Attachment): readonly RouteRequest[] {
  const { host, limits = {} } = attachment;
  return [
    ...(limits.ingress === undefined ? [] : [shape(host.index, limits.ingress)]),
    ...(limits.egress === undefined ? [] : queueRequests(attachment, limits.egress)),
  ];
}

/** What the pod sends cannot wait where it arrives: it goes through a link of its own, which can shape, and then on. */
function queueRequests(
  attachment: Attachment,
  egress: NonNullable<AttachmentLimits['egress']>,
): readonly RouteRequest[] {
  const { index, link } = egress;
  return [
    { op: 'create-ifb', name: link, index, mtu: attachment.mtu, group: linkGroup },
    { op: 'set-link', index, alias: linkAlias(attachment), up: true },
    shape(index, egress),
    { op: 'watch-ingress', index: attachment.host.index },
    { op: 'redirect-ingress', index: attachment.host.index, to: index },
  ];
}
