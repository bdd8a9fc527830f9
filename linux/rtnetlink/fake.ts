/** Namespaces and rtnetlink in memory, for tests: interprets requests and refuses them as the kernel does. */
import { BerthError } from '../../kit/errors.ts';
import { addressBytes, addressText, familyOf } from '../ipaddress.ts';
import type { Family } from '../ipaddress.ts';
import type { NamespaceSighting, Namespaces, NetworkNamespace } from '../netns.ts';
import { RouteError } from './rtnetlink.ts';
import type { AddRoute, CreateVeth, ForwardingState, RouteRequest } from './requests.ts';
import type {
  AddressState,
  LinkState,
  NeighbourState,
  RouteSocket,
  RouteState,
  Rtnetlink,
  ShapeState,
} from './rtnetlink.ts';

interface FakeLink extends LinkState {
  /** The other end of a veth pair. */
  readonly peer?: { readonly namespace: FakeNamespace; readonly index: number };
}

interface FakeNamespace {
  readonly links: Map<number, FakeLink>;
  /** Bytes per second by link. */
  readonly shapes: Map<number, number>;
  readonly watched: Set<number>;
  addresses: AddressState[];
  routes: RouteState[];
  neighbours: NeighbourState[];
  forwardings: ForwardingState[];
}

const loopback: FakeLink = {
  index: 1,
  name: 'lo',
  mac: '00:00:00:00:00:00',
  mtu: 65_536,
  group: 0,
  alias: '',
  up: false,
  kind: '',
};

function emptyNamespace(): FakeNamespace {
  return {
    links: new Map([[1, loopback]]),
    shapes: new Map(),
    watched: new Set(),
    addresses: [],
    routes: [],
    neighbours: [],
    forwardings: [],
  };
}

/** The network of one fake machine: a host namespace and those of pods, by path. */
export class FakeNetwork implements Namespaces, Rtnetlink {
  readonly #host = emptyNamespace();
  readonly #namespaces = new Map<string, { readonly identity: string; readonly namespace: FakeNamespace }>();
  #inodes = 0;

  /** Gives the host namespace an uplink with an address and the default route over it. */
  addUplink(name: string, address: string, gateway: string, mtu = 1500): void {
    const index = 2 + this.#host.links.size;
    this.#host.links.set(index, { ...loopback, index, name, mac: '02:00:00:00:00:01', mtu, up: true });
    this.#host.addresses.push({ index, address, global: true });
    this.#host.routes.push({ index, destination: '0.0.0.0/0', via: gateway, metric: 0 });
    this.#host.routes.push({ index, destination: networkOf(address), protocol: kernelMade, metric: 0 });
  }

  /** Creates a pod's namespace, as the container runtime does before ADD. */
  addNamespace(path: string): void {
    this.#namespaces.set(path, { identity: `4:${++this.#inodes}`, namespace: emptyNamespace() });
  }

  /** Removes a namespace and so its links, with the ends that are elsewhere. */
  removeNamespace(path: string): void {
    const gone = this.#namespaces.get(path);
    this.#namespaces.delete(path);
    for (const index of gone?.namespace.links.keys() ?? []) if (gone !== undefined) removeLink(gone.namespace, index);
  }

  look(path: string): NamespaceSighting {
    const found = this.#namespaces.get(path);
    return found === undefined ? 'gone' : { identity: found.identity };
  }

  open(path: string): NetworkNamespace;
  open(namespace?: NetworkNamespace): RouteSocket;
  open(of?: string | NetworkNamespace): NetworkNamespace | RouteSocket {
    if (typeof of === 'string') {
      const found = this.look(of);
      if (typeof found === 'string') throw new BerthError('NOT_FOUND', `there is no network namespace at ${of}`);
      return { path: of, identity: found.identity, fd: -1, close: () => undefined };
    }
    return new FakeRouteSocket(this, of === undefined ? this.#host : this.#inside(of));
  }

  /** The fake namespace that an open handle stands for, also after its path has gone. */
  #inside(handle: NetworkNamespace): FakeNamespace {
    for (const { identity, namespace } of this.#namespaces.values()) if (identity === handle.identity) return namespace;
    return emptyNamespace();
  }

  createVeth(here: FakeNamespace, request: CreateVeth): string | undefined {
    const there = this.#inside(request.peer.namespace);
    if (linkNamed(here, request.name) !== undefined || linkNamed(there, request.peer.name) !== undefined)
      return 'EEXIST';
    if (here.links.has(request.index)) return 'EEXIST';
    if (there.links.has(request.peer.index)) return 'EBUSY';
    const end = { alias: '', up: false, kind: 'veth' };
    const { name, index, mac, mtu, group, peer } = request;
    here.links.set(index, { ...end, name, index, mac, mtu, group, peer: { namespace: there, index: peer.index } });
    there.links.set(peer.index, {
      ...end,
      name: peer.name,
      index: peer.index,
      mac: peer.mac,
      mtu: peer.mtu,
      group: 0,
      peer: { namespace: here, index },
    });
    return undefined;
  }
}

function linkNamed(namespace: FakeNamespace, name: string): FakeLink | undefined {
  return [...namespace.links.values()].find((link) => link.name === name);
}

function removeLink(namespace: FakeNamespace, index: number): void {
  const link = namespace.links.get(index);
  namespace.links.delete(index);
  namespace.shapes.delete(index);
  namespace.watched.delete(index);
  namespace.addresses = namespace.addresses.filter((entry) => entry.index !== index);
  namespace.routes = namespace.routes.filter((entry) => entry.index !== index);
  namespace.neighbours = namespace.neighbours.filter((entry) => entry.index !== index);
  namespace.forwardings = namespace.forwardings.filter((entry) => entry.index !== index);
  if (link?.peer?.namespace.links.has(link.peer.index) === true) removeLink(link.peer.namespace, link.peer.index);
}

const kernelMade = 2; // RTPROT_KERNEL

/** `192.0.2.0/24` for `192.0.2.1/24`. */
function networkOf(address: string): string {
  const [text = '', length = '32'] = address.split('/');
  const bytes = addressBytes(text);
  for (let bit = Number(length); bit < 8 * bytes.length; bit++)
    bytes[bit >> 3] = (bytes[bit >> 3] ?? 0) & ~(0x80 >> (bit & 7));
  return `${addressText(bytes) ?? ''}/${length}`;
}

/** Whether a gateway is on a link of its own, by an address of ours in its network or a route to it. */
function isOnLink(namespace: FakeNamespace, via: string): boolean {
  if (via.startsWith('fe80:')) return true;
  const connected = [...namespace.addresses.map(({ address }) => address), ...namespace.routes.flatMap(linkScope)];
  return connected.some((network) => covers(network, via));
}

function linkScope({ destination, via }: RouteState): readonly string[] {
  return via === undefined ? [destination] : [];
}

function covers(network: string, address: string): boolean {
  return (
    familyOf(network) === familyOf(address) &&
    networkOf(network) === networkOf(`${address}/${network.replace(/.*\//, '')}`)
  );
}

function addRoute(namespace: FakeNamespace, request: AddRoute): string | undefined {
  const { index, destination, via, source, protocol } = request;
  const link = namespace.links.get(index);
  if (link === undefined) return 'ENODEV';
  if (!link.up) return 'ENETDOWN';
  if (via !== undefined && request.onlink !== true && !isOnLink(namespace, via)) return 'ENETUNREACH';
  if (source !== undefined && !namespace.addresses.some(({ address }) => address.startsWith(`${source}/`)))
    return 'EINVAL';
  // As the kernel has it when none is asked for.
  const metric = familyOf(destination) === 6 ? 1024 : 0;
  const same = (route: RouteState): boolean => route.destination === destination && route.metric === metric;
  if (request.replace === true) namespace.routes = namespace.routes.filter((route) => !same(route));
  else if (namespace.routes.some(same)) return 'EEXIST';
  namespace.routes.push({
    index,
    destination,
    ...(via === undefined ? {} : { via }),
    ...(source === undefined ? {} : { source }),
    ...(protocol === undefined ? {} : { protocol }),
    metric,
  });
  return undefined;
}

class FakeRouteSocket implements RouteSocket {
  readonly #network: FakeNetwork;
  readonly #namespace: FakeNamespace;

  constructor(network: FakeNetwork, namespace: FakeNamespace) {
    this.#network = network;
    this.#namespace = namespace;
  }

  apply(requests: readonly RouteRequest[]): Promise<void> {
    let failed: RouteError | undefined;
    for (const request of requests) {
      const code = this.#one(request);
      if (code !== undefined) failed ??= new RouteError(code, '', request);
    }
    return failed === undefined ? Promise.resolve() : Promise.reject(failed);
  }

  /** Does one request; returns the errno name of a refusal. */
  #one(request: RouteRequest): string | undefined {
    const here = this.#namespace;
    switch (request.op) {
      case 'create-veth':
        return this.#network.createVeth(here, request);
      case 'create-ifb': {
        const { name, index, mtu, group } = request;
        if (linkNamed(here, name) !== undefined || here.links.has(index)) return 'EEXIST';
        here.links.set(index, { ...loopback, name, index, mtu, group, kind: 'ifb' });
        return undefined;
      }
      case 'create-vxlan': {
        const { name, index, mac, mtu, group, id, port, local } = request;
        const same = [...here.links.values()].some(({ vxlan }) => vxlan?.id === id && vxlan.port === port);
        if (linkNamed(here, name) !== undefined || here.links.has(index) || same) return 'EEXIST';
        const vxlan = { id, port, local };
        here.links.set(index, { ...loopback, name, index, mac, mtu, group, kind: 'vxlan', vxlan });
        return undefined;
      }
      case 'add-forwarding':
      case 'delete-forwarding': {
        const { op, index, mac, to } = request;
        const adds = op === 'add-forwarding';
        if (here.links.get(index)?.kind !== 'vxlan') return adds ? 'ENODEV' : undefined;
        here.forwardings = here.forwardings.filter(
          (entry) => entry.index !== index || entry.mac !== mac || (!adds && entry.to !== to),
        );
        if (adds) here.forwardings.push({ index, mac, to });
        return undefined;
      }
      case 'shape-link':
        if (!here.links.has(request.index)) return 'ENODEV';
        here.shapes.set(request.index, request.rate);
        return undefined;
      case 'watch-ingress':
        if (!here.links.has(request.index)) return 'ENODEV';
        here.watched.add(request.index);
        return undefined;
      case 'redirect-ingress':
        if (!here.links.has(request.index)) return 'ENODEV';
        if (!here.watched.has(request.index)) return 'EINVAL';
        return here.links.has(request.to) ? undefined : 'ENODEV';
      case 'set-link': {
        const link = here.links.get(request.index);
        if (link === undefined) return 'ENODEV';
        const { alias = link.alias, up = link.up, group = link.group, mtu = link.mtu } = request;
        here.links.set(request.index, { ...link, alias, up, group, mtu });
        if (request.index === 1 && up && !link.up)
          here.addresses.push({ index: 1, address: '127.0.0.1/8', global: false });
        return undefined;
      }
      case 'delete-links':
        for (const link of [...here.links.values()]) if (link.group === request.group) removeLink(here, link.index);
        return undefined;
      case 'add-address': {
        const { index, address } = request;
        if (!here.links.has(index)) return 'ENODEV';
        if (here.addresses.some((entry) => entry.index === index && entry.address === address)) return 'EEXIST';
        here.addresses.push({ index, address, global: true });
        return undefined;
      }
      case 'add-route':
        return addRoute(here, request);
      case 'delete-route':
        here.routes = here.routes.filter(
          (route) =>
            route.index !== request.index ||
            route.destination !== request.destination ||
            (request.via !== undefined && route.via !== request.via) ||
            (request.protocol !== undefined && route.protocol !== request.protocol),
        );
        return undefined;
      case 'add-neighbour': {
        const { index, address, mac } = request;
        if (!here.links.has(index)) return 'ENODEV';
        here.neighbours = here.neighbours.filter((entry) => entry.index !== index || entry.address !== address);
        here.neighbours.push({ index, address, mac });
        return undefined;
      }
      case 'delete-neighbour':
        here.neighbours = here.neighbours.filter(
          (entry) => entry.index !== request.index || entry.address !== request.address,
        );
        return undefined;
    }
  }

  links(): Promise<readonly LinkState[]> {
    return Promise.resolve([...this.#namespace.links.values()].map(stateOf));
  }

  link(name: string): Promise<LinkState | undefined> {
    const link = linkNamed(this.#namespace, name);
    return Promise.resolve(link === undefined ? undefined : stateOf(link));
  }

  addresses(family: Family = 4): Promise<readonly AddressState[]> {
    return Promise.resolve(this.#namespace.addresses.filter((entry) => familyOf(entry.address) === family));
  }

  routes(family: Family = 4): Promise<readonly RouteState[]> {
    return Promise.resolve(this.#namespace.routes.filter((entry) => familyOf(entry.destination) === family));
  }

  neighbours(family: Family = 4): Promise<readonly NeighbourState[]> {
    return Promise.resolve(this.#namespace.neighbours.filter((entry) => familyOf(entry.address) === family));
  }

  forwardings(): Promise<readonly ForwardingState[]> {
    return Promise.resolve(this.#namespace.forwardings);
  }

  shapes(): Promise<readonly ShapeState[]> {
    return Promise.resolve([...this.#namespace.shapes].map(([index, rate]) => ({ index, rate })));
  }

  close(): void {
    // Nothing is held.
  }
}

function stateOf({ index, name, mac, mtu, group, alias, up, kind, vxlan }: FakeLink): LinkState {
  return { index, name, mac, mtu, group, alias, up, kind, ...(vxlan === undefined ? {} : { vxlan }) };
}
