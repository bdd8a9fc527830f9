/** An attachment: one interface of one container, with everything that is needed to undo it or to answer for it again. */
import { createHash } from 'node:crypto';
import { z } from 'zod';
import type { AttachmentKey } from './request.ts';
import { portProtocols } from './wishes.ts';

const linkEnd = z.strictObject({ name: z.string(), index: z.int().positive(), mac: z.string() });

const rate = z.int().positive();
const bucket = z.strictObject({ rate, burst: rate });

/** All of an attachment that is recorded. */
export const attachmentSchema = z.strictObject({
  containerID: z.string(),
  ifname: z.string(),
  network: z.string(),
  netns: z.strictObject({ path: z.string(), identity: z.string() }),
  /** One address of each family, without prefix length. */
  addresses: z.array(z.string()).min(1),
  host: linkEnd,
  sandbox: linkEnd,
  mtu: z.int(),
  /** Ports of the node that lead to it. */
  ports: z
    .array(
      z.strictObject({
        protocol: z.enum(portProtocols),
        hostPort: z.int(),
        containerPort: z.int(),
        hostIP: z.string(),
      }),
    )
    .optional(),
  /** Rates in bytes per second and bursts in bytes; `egress` with the link that its queue stands before. */
  limits: z
    .strictObject({
      ingress: bucket.optional(),
      egress: bucket.extend({ link: z.string(), index: z.int().positive() }).optional(),
    })
    .optional(),
  pod: z.strictObject({ namespace: z.string(), name: z.string(), uid: z.string() }).optional(),
  /**
   * `reserved`: written before the kernel is touched; `active`: answered, or about to be; `releasing`: being undone. After
   * a crash the first and the last are undone, as nobody got or will get an answer for them.
   */
  state: z.enum(['reserved', 'active', 'releasing']),
  /** When it was reserved, milliseconds since 1970. */
  since: z.number(),
});

export type Attachment = Readonly<z.infer<typeof attachmentSchema>>;
export type AttachmentLimits = NonNullable<Attachment['limits']>;

/** Group of all our links on the node, so that they can be told from others' and deleted together. */
export const linkGroup = 0x6265;
/** Group of the device that leads to far nodes. */
export const tunnelGroup = 0x6267;
/** Group a link is moved to when it is about to be deleted. */
export const doomedGroup = 0x6266;

/** The key as one string; neither part can contain a slash. */
export function keyText(key: AttachmentKey): string {
  return `${key.containerID}/${key.ifname}`;
}

function digestOf(key: AttachmentKey, purpose: string): string {
  return createHash('sha256')
    .update(`${purpose}/${keyText(key)}`)
    .digest('hex');
}

/** Name of the node's end. The same for every ADD of the key, so that a repeated ADD gives the same answer. */
export function hostLinkName(key: AttachmentKey): string {
  // "veth" is the prefix that network managers leave alone; eleven more characters are all a name can have.
  return `veth${digestOf(key, 'link').slice(0, 11)}`;
}

/** Name of the link that what a limited pod sends is queued before. */
export function queueLinkName(key: AttachmentKey): string {
  return `ifb${digestOf(key, 'link').slice(0, 11)}`;
}

/** A locally administered unicast MAC for one end, the same for every ADD of the key. */
export function macOf(key: AttachmentKey, end: 'host' | 'sandbox'): string {
  return ['02', ...(digestOf(key, end).match(/../g) ?? []).slice(0, 5)].join(':');
}

/** File name of the record: fixed length, whatever the container is called. */
export function recordName(key: AttachmentKey): string {
  return `${digestOf(key, 'record').slice(0, 32)}.json`;
}

/** Alias of the node's end: for people, and to tell our link from one that took its name. */
export function linkAlias(key: AttachmentKey): string {
  return `berth:${keyText(key)}`;
}

/** The key that an alias of ours tells; undefined for any other. */
export function keyOfAlias(alias: string): AttachmentKey | undefined {
  const [, containerID, ifname] = /^berth:([^/]+)\/([^/]+)$/.exec(alias) ?? [];
  return containerID === undefined || ifname === undefined ? undefined : { containerID, ifname };
}
