/** The metric of other nodes. */
import { Gauge } from 'prom-client';
import type { Registry } from 'prom-client';
import type { NodeCounts } from './noderouter.ts';

/** `counts` yields undefined while the nodes are not known. */
export function createNodeGauge(registry: Registry, counts: () => NodeCounts | undefined): void {
  new Gauge({
    name: 'berth_cni_node_ranges',
    help: 'Pod ranges of other nodes: routed, reached through the tunnel, unreachable, or refused because they cannot be right.',
    labelNames: ['state'],
    registers: [registry],
    collect() {
      for (const [state, count] of Object.entries(counts() ?? {}) as [string, number][]) this.set({ state }, count);
    },
  });
}
