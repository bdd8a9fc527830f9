/** Requests about queueing disciplines and filters (tc(8)) as rtnetlink messages. */
import { attribute, createOrReplace, messageType } from './message.ts';
import type { Message } from './message.ts';
import type { RedirectIngress, ShapeLink, WatchIngress } from './requests.ts';

// Handles and attributes of linux/pkt_sched.h, linux/pkt_cls.h and linux/tc_act/tc_mirred.h.
/** TC_H_ROOT. */
export const rootParent = 0xffffffff;
const clsactHandle = 0xffff0000;
const clsactParent = 0xfffffff1; // TC_H_CLSACT
const clsactIngress = 0xfffffff2; // TC_H_MAKE(TC_H_CLSACT, TC_H_MIN_INGRESS)
/** TCA_KIND and TCA_OPTIONS. */
export const qdiscAttribute = { kind: 1, options: 2 } as const;
/** TCA_TBF_*. */
export const tbfAttribute = { parameters: 1, rate64: 4, burst: 6 } as const;
const ethernet = 1; // TC_LINKLAYER_ETHERNET: the kernel reckons by itself and asks for no rate table
const everyProtocol = 0x0300; // ETH_P_ALL in network byte order
const filterPriority = 1;
const filterHandle = 0x80000800; // the first node of the first table
const u32Attribute = { selector: 5, actions: 7 } as const; // TCA_U32_*
const terminal = 1; // TC_U32_TERMINAL
const mirredParameters = 2; // TCA_MIRRED_PARMS
const stolen = 4; // TC_ACT_STOLEN
const egressRedirect = 1; // TCA_EGRESS_REDIR

const largest32 = 0xffffffff;

/** struct tcmsg. */
function head(index: number, handle: number, parent: number, detail = 0): Buffer {
  const bytes = Buffer.alloc(20);
  bytes.writeInt32LE(index, 4);
  bytes.writeUInt32LE(handle, 8);
  bytes.writeUInt32LE(parent, 12);
  bytes.writeUInt32LE(detail, 16);
  return bytes;
}

function text(value: string): Buffer {
  return Buffer.from(`${value}\0`);
}

/** A token bucket as the link's root discipline; it takes the place of the one before. */
export function encodeShape({ index, rate, burst, queue }: ShapeLink): Message {
  const parameters = Buffer.alloc(36); // struct tc_tbf_qopt: rate, peak rate, limit, buffer, mtu
  parameters[1] = ethernet;
  parameters.writeUInt32LE(Math.min(rate, largest32), 8);
  parameters.writeUInt32LE(Math.min(queue, largest32), 24);
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(Math.min(burst, largest32));
  const rate64 = Buffer.alloc(8);
  rate64.writeBigUInt64LE(BigInt(rate));
  const options = [
    attribute(tbfAttribute.parameters, parameters),
    attribute(tbfAttribute.burst, bytes),
    ...(rate > largest32 ? [attribute(tbfAttribute.rate64, rate64)] : []),
  ];
  return {
    type: messageType.newQdisc,
    flags: createOrReplace,
    payload: Buffer.concat([
      head(index, 0x10000, rootParent),
      attribute(qdiscAttribute.kind, text('tbf')),
      attribute(qdiscAttribute.options, Buffer.concat(options)),
    ]),
    tolerated: [],
  };
}

/** `clsact`, and not the older `ingress`, of which there can be but one user. */
export function encodeWatchIngress({ index }: WatchIngress): Message {
  return {
    type: messageType.newQdisc,
    flags: 0x400, // NLM_F_CREATE: one that is there stays, with the filters it has
    payload: Buffer.concat([head(index, clsactHandle, clsactParent), attribute(qdiscAttribute.kind, text('clsact'))]),
    tolerated: [],
  };
}

/** A u32 filter that matches everything (`matchall` is a module that many kernels lack), with the action `mirred`. */
export function encodeRedirect({ index, to }: RedirectIngress): Message {
  const selector = Buffer.alloc(32); // struct tc_u32_sel and one key whose mask is 0
  selector[0] = terminal;
  selector[2] = 1;
  const mirred = Buffer.alloc(28); // struct tc_mirred
  mirred.writeInt32LE(stolen, 8);
  mirred.writeInt32LE(egressRedirect, 20);
  mirred.writeUInt32LE(to, 24);
  const action = Buffer.concat([
    attribute(qdiscAttribute.kind, text('mirred')),
    attribute(qdiscAttribute.options, attribute(mirredParameters, mirred)),
  ]);
  return {
    type: messageType.newFilter,
    flags: createOrReplace,
    payload: Buffer.concat([
      head(index, filterHandle, clsactIngress, (filterPriority << 16) | everyProtocol),
      attribute(qdiscAttribute.kind, text('u32')),
      attribute(
        qdiscAttribute.options,
        Buffer.concat([
          attribute(u32Attribute.selector, selector),
          attribute(u32Attribute.actions, attribute(1, action)),
        ]),
      ),
    ]),
    tolerated: [],
  };
}
