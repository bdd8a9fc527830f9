/** The parts of the kernel the pod network uses, as one value, so that tests can give another. */
import type { Conntrack } from '../linux/conntrack.ts';
import { conntrack } from '../linux/conntrack.ts';
import type { Namespaces } from '../linux/netns.ts';
import { namespaces } from '../linux/netns.ts';
import { openNftables } from '../linux/nftables/libnftables.ts';
import type { Nftables } from '../linux/nftables/nftables.ts';
import type { Rtnetlink } from '../linux/rtnetlink/rtnetlink.ts';
import { rtnetlink } from '../linux/rtnetlink/socket.ts';
import type { Sysctl } from '../linux/sysctl.ts';
import { sysctl } from '../linux/sysctl.ts';

export interface NetworkKernel {
  readonly namespaces: Namespaces;
  readonly rtnetlink: Rtnetlink;
  readonly sysctl: Sysctl;
  readonly conntrack: Conntrack;
  /** Opens nftables; the caller closes it. */
  openNftables(): Nftables;
}

/** The kernel of this machine, seen from the network namespace of this thread: the node's. */
export const networkKernel: NetworkKernel = { namespaces, rtnetlink, sysctl, conntrack, openNftables };
