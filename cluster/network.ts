/**
 * The network between the nodes: two bridges in a namespace of its own, which is the router between them, and one veth to
 * each node's `eth0`. It has no way out, and routes between the nodes' pod ranges are left to the CNI plugin.
 */
import { firstLink, nodeAddresses, routerAddresses, secondLink, serviceRanges } from './addresses.ts';
import type { NodePlace } from './addresses.ts';
import { run, runChecked } from './command.ts';
import { createNamespaces, enterArguments } from './namespace.ts';
import type { NamespaceOptions, Namespaces } from './namespace.ts';

/** The namespace with the bridges. It stays while nodes restart. */
export async function createSwitch(pauseProgram: string, options: NamespaceOptions): Promise<Namespaces> {
  const bridges = [firstLink, secondLink].map((link) => {
    const { v4, v6 } = routerAddresses(link);
    const { name } = link;
    return `ip link add ${name} type bridge; ip addr add ${v4}/24 dev ${name}; ip addr add ${v6}/64 dev ${name} nodad; ip link set ${name} up`;
  });
  const forward = 'echo 1 >/proc/sys/net/ipv4/ip_forward; echo 1 >/proc/sys/net/ipv6/conf/all/forwarding';
  const script = `set -e; ${bridges.join('; ')}; ${forward}; ip link set lo up; echo ready; exec "$1" >/dev/null`;
  return createNamespaces(['net', 'pid'], script, [pauseProgram], options);
}

/** Plugs a node into the bridge of its link and gives it its addresses. Its previous cable is gone with its previous namespace. */
export async function connectNode(lan: Namespaces, node: Namespaces, { index, link }: NodePlace): Promise<void> {
  const port = `node${index + 1}`;
  const { v4, v6 } = nodeAddresses(index, link);
  const other = link === firstLink ? secondLink : firstLink;
  const router = routerAddresses(link);
  // A dead namespace's cable is removed by the kernel in the background: do not meet it.
  await run('nsenter', [...enterArguments(lan, ['net']), 'ip', 'link', 'delete', port]);
  await batch(lan, [
    `link add ${port} type veth peer name eth0 netns ${node.init.pid}`,
    `link set ${port} master ${link.name} up`,
  ]);
  await batch(node, [
    'link set eth0 up',
    `addr add ${v4}/24 dev eth0`,
    `addr add ${v6}/64 dev eth0 nodad`,
    `route add ${other.prefix4}.0/24 via ${router.v4}`,
    `route add ${other.prefix6}:/64 via ${router.v6}`,
    // Without a route the kernel refuses a Service's address before kube-proxy's rules can rewrite it.
    ...serviceRanges.map((range) => `route add ${range} dev eth0`),
  ]);
}

/** Runs ip commands inside. */
async function batch(namespaces: Namespaces, commands: readonly string[]): Promise<void> {
  const args = [...enterArguments(namespaces, ['net']), 'ip', '-batch', '-'];
  await runChecked('nsenter', args, { stdin: commands.join('\n') });
}
