/**
 * The network between the nodes: a bridge in a namespace of its own, one veth from it to each node's `eth0`. It has no way out,
 * and routes between the nodes' pod ranges are left to the CNI plugin.
 */
import { nodeAddresses, serviceRanges, switchAddress } from './addresses.ts';
import { run, runChecked } from './command.ts';
import { createNamespaces, enterArguments } from './namespace.ts';
import type { NamespaceOptions, Namespaces } from './namespace.ts';

const bridge = 'nodes';

/** The namespace with the bridge. It stays while nodes restart. */
export async function createSwitch(pauseProgram: string, options: NamespaceOptions): Promise<Namespaces> {
  const script = `set -e; ip link add ${bridge} type bridge; ip addr add ${switchAddress}/24 dev ${bridge}; ip link set ${bridge} up; ip link set lo up; echo ready; exec "$1" >/dev/null`;
  return createNamespaces(['net', 'pid'], script, [pauseProgram], options);
}

/** Plugs a node into the bridge and gives it its addresses. Its previous cable is gone with its previous namespace. */
export async function connectNode(lan: Namespaces, node: Namespaces, index: number): Promise<void> {
  const port = `node${index + 1}`;
  const { v4, v6 } = nodeAddresses(index);
  // A dead namespace's cable is removed by the kernel in the background: do not meet it.
  await run('nsenter', [...enterArguments(lan, ['net']), 'ip', 'link', 'delete', port]);
  await batch(lan, [
    `link add ${port} type veth peer name eth0 netns ${node.init.pid}`,
    `link set ${port} master ${bridge} up`,
  ]);
  await batch(node, [
    'link set eth0 up',
    `addr add ${v4}/24 dev eth0`,
    `addr add ${v6}/64 dev eth0 nodad`,
    // Without a route the kernel refuses a Service's address before kube-proxy's rules can rewrite it.
    ...serviceRanges.map((range) => `route add ${range} dev eth0`),
  ]);
}

/** Runs ip commands inside. */
async function batch(namespaces: Namespaces, commands: readonly string[]): Promise<void> {
  const args = [...enterArguments(namespaces, ['net']), 'ip', '-batch', '-'];
  await runChecked('nsenter', args, { stdin: commands.join('\n') });
}
