// A kernel and a store whose user dies, as by kill -9, before or after one of its effects (everything that it changes in the world), or
// stands still before it.
import type { NetworkKernel } from '../../../cni/kernel.ts';
import { AttachmentStore } from '../../../cni/store.ts';
import type { RouteSocket } from '../../../linux/rtnetlink/rtnetlink.ts';

/** Where to die, `before` or `after`, or to `stop` before, the effect with this number, counted from 1 since it was said. */
export interface End {
  readonly when: 'before' | 'after' | 'stop';
  readonly effect: number;
}

let end: End | undefined;
let effects = 0;

/** Begins to count. */
export function dieAt(next: End): void {
  end = next;
  effects = 0;
}

function begin(): boolean {
  if (++effects !== end?.effect) return false;
  if (end.when !== 'after') process.kill(process.pid, end.when === 'stop' ? 'SIGSTOP' : 'SIGKILL');
  return end.when === 'after';
}

function finish(isLast: boolean): void {
  if (isLast) process.kill(process.pid, 'SIGKILL');
}

async function mortally<T>(effect: () => Promise<T>): Promise<T> {
  const isLast = begin();
  const result = await effect();
  finish(isLast);
  return result;
}

function mortallyAtOnce(effect: () => void): void {
  const isLast = begin();
  effect();
  finish(isLast);
}

function mortalSocket(socket: RouteSocket): RouteSocket {
  return {
    apply: (requests) => mortally(() => socket.apply(requests)),
    links: () => socket.links(),
    link: (name) => socket.link(name),
    addresses: (family) => socket.addresses(family),
    routes: (family) => socket.routes(family),
    neighbours: (family) => socket.neighbours(family),
    shapes: () => socket.shapes(),
    forwardings: () => socket.forwardings(),
    close: () => {
      socket.close();
    },
  };
}

export function mortalKernel(kernel: NetworkKernel): NetworkKernel {
  const { rtnetlink, sysctl, conntrack } = kernel;
  return {
    namespaces: kernel.namespaces,
    rtnetlink: { open: (namespace) => mortalSocket(rtnetlink.open(namespace)) },
    sysctl: {
      read: (name) => sysctl.read(name),
      set: (name, value) => mortally(() => sysctl.set(name, value)),
      setIn: (namespace, name, value) => {
        mortallyAtOnce(() => {
          sysctl.setIn(namespace, name, value);
        });
      },
    },
    conntrack: { forgetUdp: (family, matches) => mortally(() => conntrack.forgetUdp(family, matches)) },
    openNftables: () => {
      const nftables = kernel.openNftables();
      return {
        run: (commands) => mortally(() => nftables.run(commands)),
        list: (table) => nftables.list(table),
        generation: () => nftables.generation(),
        close: () => {
          nftables.close();
        },
      };
    },
  };
}

/** The service makes its store itself. */
export function makeStoresMortal(): void {
  // Called below with the `this` of each store.
  // eslint-disable-next-line @typescript-eslint/unbound-method
  const { put, remove } = AttachmentStore.prototype;
  AttachmentStore.prototype.put = function (this: AttachmentStore, attachment) {
    mortallyAtOnce(() => {
      put.call(this, attachment);
    });
  };
  AttachmentStore.prototype.remove = function (this: AttachmentStore, key) {
    mortallyAtOnce(() => {
      remove.call(this, key);
    });
  };
}
