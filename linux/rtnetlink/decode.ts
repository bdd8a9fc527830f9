/** Entries of the kernel's listings as state, with the codecs (and nothing else) of the npm package `netlink`. */
import { RouteProtocol } from 'netlink/dist/rt/gen_structs.js';
import {
  parseAddressMessage,
  parseLinkMessage,
  parseNeighborMessage,
  parseRouteMessage,
} from 'netlink/dist/rt/structs.js';
import { parseAttributes } from 'netlink/dist/structs.js';
import { addressText } from '../ipaddress.ts';
import { qdiscAttribute, rootParent, tbfAttribute } from './encodeqdisc.ts';
import { bridgeFamily, linkInfo, mainTable, neighbourAttribute, vxlanAttribute } from './message.ts';
import type { ForwardingState, VxlanSettings } from './requests.ts';
import type { AddressState, LinkState, NeighbourState, RouteState, ShapeState } from './rtnetlink.ts';

const inet6 = 10; // AF_INET6
const staticRoute: number = RouteProtocol.STATIC;

function macText(bytes: Buffer | undefined): string {
  return bytes === undefined ? '' : (bytes.toString('hex').match(/../g) ?? []).join(':');
}

export function decodeLink(payload: Buffer): LinkState {
  const { data, attrs } = parseLinkMessage(payload);
  let kind = '';
  let vxlan: VxlanSettings | undefined;
  if (attrs.linkinfo !== undefined)
    parseAttributes(attrs.linkinfo, (item) => {
      if (item.type === linkInfo.kind) kind = item.data.toString('utf8').replace(/\0.*$/s, '');
      if (item.type === linkInfo.data && kind === 'vxlan') vxlan = decodeVxlan(item.data);
    });
  return {
    index: data.index ?? 0,
    name: attrs.ifname ?? '',
    mac: macText(attrs.address),
    mtu: attrs.mtu ?? 0,
    group: attrs.group ?? 0,
    alias: attrs.ifalias ?? '',
    up: data.flags?.up === true,
    kind,
    ...(vxlan === undefined ? {} : { vxlan }),
  };
}

function decodeVxlan(settings: Buffer): VxlanSettings {
  let [id, port, local] = [0, 0, ''];
  parseAttributes(settings, ({ type, data }) => {
    if (type === vxlanAttribute.id) id = data.readUInt32LE(0);
    if (type === vxlanAttribute.port) port = data.readUInt16BE(0);
    if (type === vxlanAttribute.local || type === vxlanAttribute.local6) local = addressText(data) ?? '';
  });
  return { id, port, local };
}

export function decodeAddress(payload: Buffer): AddressState | undefined {
  const { data, attrs } = parseAddressMessage(payload);
  // IFA_LOCAL is ours; IFA_ADDRESS is the peer's on a point-to-point link.
  const address = addressText(attrs.local ?? attrs.address);
  if (address === undefined) return undefined;
  return { index: data.index ?? 0, address: `${address}/${data.prefixlen ?? 0}`, global: (data.scope ?? 0) === 0 };
}

export function decodeRoute(payload: Buffer): RouteState | undefined {
  const { data, attrs } = parseRouteMessage(payload);
  if ((attrs.table ?? data.table) !== mainTable || data.type !== 'UNICAST' || attrs.oif === undefined) return undefined;
  const via = addressText(attrs.gateway);
  const source = addressText(attrs.prefsrc);
  // The codec gives a name to those it knows.
  const protocol: number = typeof data.protocol === 'string' ? RouteProtocol[data.protocol] : (data.protocol ?? 0);
  return {
    index: attrs.oif,
    destination: `${addressText(attrs.dst) ?? (data.family === inet6 ? '::' : '0.0.0.0')}/${data.dstLen ?? 0}`,
    ...(via === undefined ? {} : { via }),
    ...(source === undefined ? {} : { source }),
    ...(protocol === staticRoute ? {} : { protocol }),
    metric: attrs.priority ?? 0,
  };
}

export function decodeNeighbour(payload: Buffer): NeighbourState | undefined {
  const { data, attrs } = parseNeighborMessage(payload);
  const address = addressText(attrs.dst);
  if (address === undefined || data.state?.permanent !== true) return undefined;
  return { index: data.ifindex ?? 0, address, mac: macText(attrs.lladdr) };
}

/** A neighbour of the family bridge; undefined for entries without another end. */
export function decodeForwarding(payload: Buffer): ForwardingState | undefined {
  // struct ndmsg, then attributes.
  if (payload.length < 12 || payload[0] !== bridgeFamily) return undefined;
  let [mac, to] = ['', ''];
  parseAttributes(payload.subarray(12), ({ type, data }) => {
    if (type === neighbourAttribute.mac) mac = macText(data);
    if (type === neighbourAttribute.destination) to = addressText(data) ?? '';
  });
  return to === '' ? undefined : { index: payload.readInt32LE(4), mac, to };
}

/** A discipline of any kind; undefined when it is no token bucket at the root of a link. */
export function decodeShape(payload: Buffer): ShapeState | undefined {
  // struct tcmsg, then attributes.
  if (payload.length < 20 || payload.readUInt32LE(12) !== rootParent) return undefined;
  let kind = '';
  let rate = 0;
  parseAttributes(payload.subarray(20), ({ type, data }) => {
    if (type === qdiscAttribute.kind) kind = data.toString('utf8').replace(/\0.*$/s, '');
    if (type !== qdiscAttribute.options || kind !== 'tbf') return;
    parseAttributes(data, (option) => {
      if (option.type === tbfAttribute.parameters) rate = Math.max(rate, option.data.readUInt32LE(8));
      if (option.type === tbfAttribute.rate64) rate = Number(option.data.readBigUInt64LE(0));
    });
  });
  return kind === 'tbf' ? { index: payload.readInt32LE(4), rate } : undefined;
}
