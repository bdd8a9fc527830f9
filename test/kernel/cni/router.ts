// Plays an IPv6 router inside a namespace: `router.ts LINK` sends one router advertisement, which offers a default route and a
// prefix, to all nodes of the link for each line of its input. The link needs a link-local address.
import { networkInterfaces } from 'node:os';
import { addressBytes } from '../../../linux/ipaddress.ts';
import { check, libc } from '../../../linux/libc.ts';

const socket = libc('int socket(int domain, int type, int protocol)');
const setsockopt = libc('int setsockopt(int fd, int level, int name, void *value, unsigned int length)');
const sendto = libc('long sendto(int fd, void *bytes, size_t length, int flags, void *to, unsigned int tolength)');

// From the published kernel interface (socket.h, in.h, in6.h) and RFC 4861, section 4.2.
const [inet6, raw, icmpv6, ipv6Level, multicastHops] = [10, 3, 58, 41, 18];
const routerAdvertisement = 134;
const prefixInformation = 3;

const [link = ''] = process.argv.slice(2);
const scope = networkInterfaces()[link]?.find(({ family }) => family === 'IPv6')?.scopeid;
if (scope === undefined) throw new Error(`${link} has no IPv6 address`);

function bytes(...parts: readonly (readonly number[] | Uint8Array)[]): Uint8Array {
  return Uint8Array.from(parts.flatMap((part) => [...part]));
}

const lifetimes = [0, 0, 0x07, 0x08];
const message = bytes(
  // Type, code, checksum (the kernel's), hop limit, flags, lifetime as a router, reachable and retransmission time.
  [routerAdvertisement, 0, 0, 0, 64, 0, 0x07, 0x08, 0, 0, 0, 0, 0, 0, 0, 0],
  // A /64 that is on the link and to make addresses of.
  [prefixInformation, 4, 64, 0xc0, ...lifetimes, ...lifetimes, 0, 0, 0, 0],
  addressBytes('2001:db8:bad::'),
);
const to = new Uint8Array(28);
const view = new DataView(to.buffer);
view.setUint16(0, inet6, true);
to.set(addressBytes('ff02::1'), 8);
view.setUint32(24, scope, true);

const fd = check(socket(inet6, raw, icmpv6), 'socket', 'ICMPv6');
// Receivers take an advertisement with this hop limit only: it has crossed no router.
check(
  setsockopt(fd, ipv6Level, multicastHops, Uint8Array.from([255, 0, 0, 0]), 4),
  'setsockopt',
  'IPV6_MULTICAST_HOPS',
);
process.stdout.write('ready\n');
process.stdin.on('data', () => {
  check(sendto(fd, message, message.length, 0, to, to.length), 'sendto', link);
  process.stdout.write('sent\n');
});
