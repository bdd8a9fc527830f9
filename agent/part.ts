/** A part of the agent as a process of its own: one plugin, so that each container has only the rights its plugin needs. */
import { dirname, join } from 'node:path';
import type { NodeConfig } from './nodeconfig.ts';

/** The plugins by the names of their sections and services; the place in the list is added to `agent.port` and `agent.metrics.port`. */
export const plugins = ['network', 'devices', 'storage'] as const;
export type Plugin = (typeof plugins)[number];

/**
 * The configuration of a process that runs these plugins only: without the other sections, and with ports and a socket that no
 * other part has, because all are in the node's network and share `/run/berth`. The whole agent's is as it was given.
 */
export function partOf(config: NodeConfig, only: readonly Plugin[]): NodeConfig {
  const [first] = plugins.filter((each) => only.includes(each));
  if (first === undefined) return config;
  const { agent, kubelet } = config;
  const sections = Object.fromEntries(only.map((each) => [each, config[each]]));
  const place = plugins.indexOf(first);
  const metrics =
    agent.metrics === undefined ? {} : { metrics: { ...agent.metrics, port: agent.metrics.port + place } };
  return {
    agent: { ...agent, port: agent.port + place, socket: socketOf(agent.socket, first), ...metrics },
    kubelet,
    ...sections,
  };
}

/** `/run/berth/agent.sock` and `storage` make `/run/berth/agent-storage.sock`. */
function socketOf(whole: string, plugin: Plugin): string {
  return join(dirname(whole), `agent-${plugin}.sock`);
}

/** Every socket on which a part of an agent may listen whose whole would on this one. */
export function socketsOf(whole: string): readonly string[] {
  return [whole, ...plugins.map((each) => socketOf(whole, each))];
}
