/** Requests about links as rtnetlink messages. */
import { formatVethInfo } from 'netlink/dist/rt/ifla.js';
import { formatLinkMessage } from 'netlink/dist/rt/structs.js';
import { attribute, concat, createNew, familyNumber, infoKind, macBytes, message, messageType } from './message.ts';
import type { Message } from './message.ts';
import type { CreateIfb, CreateVeth, DeleteLinks, SetLink } from './rtnetlink.ts';

const addressGeneration = 8; // IFLA_INET6_ADDR_GEN_MODE
const generateNone = 1; // IN6_ADDR_GEN_MODE_NONE
const ipv4Settings = 1; // IFLA_INET_CONF
const routeLocalnet = 26; // IPV4_DEVCONF_ROUTE_LOCALNET
const infoData = 2; // IFLA_INFO_DATA

export function encodeVeth(request: CreateVeth): Message {
  const { peer } = request;
  const peerLink = concat((out) => {
    formatLinkMessage(
      {
        kind: 'link',
        data: { index: peer.index },
        attrs: { ifname: peer.name, address: macBytes(peer.mac), mtu: peer.mtu, netNsFd: peer.namespace.fd },
      },
      out,
    );
  });
  const linkinfo = concat((out) => {
    out.push(infoKind, Buffer.from('veth\0'));
    out.push(infoData, formatVethInfo({ peer: peerLink }));
  });
  return message(messageType.newLink, createNew, (out) => {
    formatLinkMessage(
      {
        kind: 'link',
        data: { index: request.index },
        attrs: {
          ifname: request.name,
          address: macBytes(request.mac),
          mtu: request.mtu,
          group: request.group,
          linkinfo,
        },
      },
      out,
    );
  });
}

export function encodeIfb({ name, index, mtu, group }: CreateIfb): Message {
  const linkinfo = attribute(infoKind, Buffer.from('ifb\0'));
  return message(messageType.newLink, createNew, (out) => {
    formatLinkMessage({ kind: 'link', data: { index }, attrs: { ifname: name, mtu, group, linkinfo } }, out);
  });
}

/** What a link has for one family only. */
function familySettings(request: SetLink): { readonly afSpec?: Map<number, Buffer> } {
  const settings = new Map<number, Buffer>();
  const on = Buffer.from([1, 0, 0, 0]);
  if (request.routeLocalnet === true)
    settings.set(familyNumber(4), attribute(ipv4Settings, attribute(routeLocalnet, on)));
  if (request.addressGeneration === 'none')
    settings.set(familyNumber(6), attribute(addressGeneration, Buffer.from([generateNone])));
  return settings.size === 0 ? {} : { afSpec: settings };
}

export function encodeSetLink(request: SetLink): Message {
  return message(messageType.setLink, 0, (out) => {
    formatLinkMessage(
      {
        kind: 'link',
        data: {
          index: request.index,
          ...(request.up === undefined ? {} : { flags: request.up ? { up: true } : {}, change: { up: true } as const }),
        },
        attrs: {
          ...(request.alias === undefined ? {} : { ifalias: request.alias }),
          ...(request.group === undefined ? {} : { group: request.group }),
          ...familySettings(request),
        },
      },
      out,
    );
  });
}

export function encodeDeleteLinks(request: DeleteLinks): Message {
  return message(
    messageType.delLink,
    0,
    (out) => {
      formatLinkMessage({ kind: 'link', data: {}, attrs: { group: request.group } }, out);
    },
    ['ENODEV'],
  );
}

/** The question for one link by name. */
export function encodeLinkQuery(name: string): Uint8Array {
  return message(messageType.getLink, 0, (out) => {
    formatLinkMessage({ kind: 'link', data: {}, attrs: { ifname: name } }, out);
  }).payload;
}
