/** Requests about links as rtnetlink messages. */
import { formatVethInfo } from 'netlink/dist/rt/ifla.js';
import { formatLinkMessage } from 'netlink/dist/rt/structs.js';
import { addressBytes } from '../ipaddress.ts';
import {
  attribute,
  bridgeFamily,
  concat,
  createNew,
  createOrReplace,
  familyNumber,
  linkInfo,
  macBytes,
  message,
  messageType,
  neighbourAttribute,
  vxlanAttribute,
} from './message.ts';
import type { Message } from './message.ts';
import type {
  AddForwarding,
  CreateIfb,
  CreateVeth,
  CreateVxlan,
  DeleteForwarding,
  DeleteLinks,
  SetLink,
} from './requests.ts';

const addressGeneration = 8; // IFLA_INET6_ADDR_GEN_MODE
const generateNone = 1; // IN6_ADDR_GEN_MODE_NONE
const ipv4Settings = 1; // IFLA_INET_CONF
const routeLocalnet = 26; // IPV4_DEVCONF_ROUTE_LOCALNET

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
    out.push(linkInfo.kind, Buffer.from('veth\0'));
    out.push(linkInfo.data, formatVethInfo({ peer: peerLink }));
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
  const linkinfo = attribute(linkInfo.kind, Buffer.from('ifb\0'));
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

export function encodeVxlan(request: CreateVxlan): Message {
  const { name, index, mac, mtu, group, id, port, local } = request;
  const number = Buffer.alloc(4);
  number.writeUInt32LE(id);
  const udpPort = Buffer.alloc(2);
  udpPort.writeUInt16BE(port);
  const address = addressBytes(local);
  const settings = Buffer.concat([
    attribute(vxlanAttribute.id, number),
    attribute(vxlanAttribute.port, udpPort),
    attribute(vxlanAttribute.learning, Buffer.from([0])),
    attribute(address.length === 4 ? vxlanAttribute.local : vxlanAttribute.local6, address),
  ]);
  const linkinfo = Buffer.concat([
    attribute(linkInfo.kind, Buffer.from('vxlan\0')),
    attribute(linkInfo.data, settings),
  ]);
  return message(messageType.newLink, createNew, (out) => {
    const attrs = { ifname: name, address: macBytes(mac), mtu, group, linkinfo };
    formatLinkMessage({ kind: 'link', data: { index }, attrs }, out);
  });
}

/** An entry of a forwarding database is a neighbour of the family bridge (struct ndmsg). */
export function encodeForwarding({ op, index, mac, to }: AddForwarding | DeleteForwarding): Message {
  const head = Buffer.alloc(12);
  head[0] = bridgeFamily;
  head.writeInt32LE(index, 4);
  head.writeUInt16LE(0x40 | 0x80, 8); // NUD_NOARP | NUD_PERMANENT
  head[10] = 2; // NTF_SELF: the device's own, not that of a bridge it is a port of
  const payload = Buffer.concat([
    head,
    attribute(neighbourAttribute.mac, macBytes(mac)),
    attribute(neighbourAttribute.destination, addressBytes(to)),
  ]);
  return op === 'add-forwarding'
    ? { type: messageType.newNeighbour, flags: createOrReplace, payload, tolerated: [] }
    : { type: messageType.delNeighbour, flags: 0, payload, tolerated: ['ENOENT', 'ENODEV'] };
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
          ...(request.mtu === undefined ? {} : { mtu: request.mtu }),
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
