/** The agent's own metrics; each room adds its own to the same registry. */
import { collectDefaultMetrics, Gauge, Registry } from 'prom-client';
import type { Supervisor } from './supervisor.ts';
import { version } from './version.ts';

/** A registry with the process metrics and `berth_build_info`. */
export function createRegistry(): Registry {
  const registry = new Registry();
  // The lag histogram wakes the process this often; ten times a second costs nothing that can be measured.
  collectDefaultMetrics({ register: registry, eventLoopMonitoringPrecision: 100 });
  new Gauge({
    name: 'berth_build_info',
    help: 'Always 1; the labels tell which Berth and which Node.js run.',
    labelNames: ['version', 'node_version'],
    registers: [registry],
  }).set({ version, node_version: process.versions.node }, 1);
  return registry;
}

/** `berth_service_ready` and `berth_service_start_failures` of every service. */
export function registerServiceMetrics(registry: Registry, supervisors: readonly Supervisor[]): void {
  new Gauge({
    name: 'berth_service_ready',
    help: 'Whether the service does its work now (1) or not (0).',
    labelNames: ['service'],
    registers: [registry],
    collect() {
      for (const each of supervisors) this.set({ service: each.name }, each.notReady() === undefined ? 1 : 0);
    },
  });
  new Gauge({
    name: 'berth_service_start_failures',
    help: 'How often the service could not be started since the agent runs.',
    labelNames: ['service'],
    registers: [registry],
    collect() {
      for (const each of supervisors) this.set({ service: each.name }, each.failures);
    },
  });
}
