/** Kernel parameters that every pod gets: which may be set, and what they are called for one interface. */

/** Stands in a name for the pod's interface, as `eth0`. */
const placeholder = 'IFNAME';

// Each network namespace has its own of these; what is the whole machine's is not there in that of a pod.
const allowed = /^net\.(ipv4|ipv6|core|unix|mptcp|netfilter)(\.[a-z0-9_-]+|\.IFNAME)+$/;
/** Berth sets these itself, or the pod's network does not work with another value. */
const own = new Set(['accept_ra', 'disable_ipv6', 'addr_gen_mode', 'disable_policy']);

/** Why a parameter may not be set, or undefined. Pure. */
export function refusalOfSysctl(name: string): string | undefined {
  if (!allowed.test(name))
    return 'expected a parameter of a network namespace such as net.core.somaxconn or net.ipv4.conf.IFNAME.arp_filter';
  return own.has(name.split('.').at(-1) ?? '') ? 'expected a parameter that Berth does not set itself' : undefined;
}

/** The name with slashes, as an interface may have dots in its name. */
export function sysctlName(name: string, ifname: string): string {
  return name
    .split('.')
    .map((part) => (part === placeholder ? ifname : part))
    .join('/');
}
