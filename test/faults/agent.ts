/** The agent of a node as a process: killing it as the kernel's OOM killer would, and knowing when the next one works. */
import type { ClusterNode } from '../../cluster/node.ts';
import { eventually } from '../cluster/scene.ts';

/** The pids of the agent of a node, one a line; undefined while none runs. */
export async function agentPids(node: ClusterNode): Promise<string | undefined> {
  const { stdout } = await node.exec(['pgrep', '-f', 'berth.mjs run']);
  return stdout.trim() === '' ? undefined : stdout.trim();
}

/** Kills the agent, once one runs; the kubelet starts it again. Returns the pids of what was killed. */
export async function killAgent(node: ClusterNode): Promise<string> {
  // The kubelet waits before it starts a container again that was killed a moment ago.
  const pid = await eventually(`the agent of ${node.name} to run`, 120, () => agentPids(node));
  await node.exec(['kill', '-9', ...pid.split('\n')]);
  return pid;
}

/** Waits until an agent other than `killed` says that it is ready; asked for services, that these are. */
export async function agentReady(node: ClusterNode, killed = '', services: readonly string[] = []): Promise<void> {
  await eventually(`the agent of ${node.name} to be ready`, 120, async () => {
    const pid = await agentPids(node);
    if (pid === undefined || pid === killed) return undefined;
    const get = ['timeout', '5', 'busybox', 'wget', '-q', '-O', '-'];
    const path = services.length === 0 ? 'readyz' : 'metrics';
    const { code, stdout } = await node.exec([...get, `http://127.0.0.1:9880/${path}`]);
    const all = services.every((service) => stdout.includes(`berth_service_ready{service="${service}"} 1\n`));
    return code === 0 && all ? true : undefined;
  });
}

/** Kills the agents of these nodes together and waits for the next ones. */
export async function replaceAgents(nodes: readonly ClusterNode[], services?: readonly string[]): Promise<void> {
  await Promise.all(nodes.map(async (node) => agentReady(node, await killAgent(node), services)));
}
