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

/** `berth_kubernetes_watch_up`; the function is told whether changes of a collection come. Call once per registry. */
export function createWatchGauge(registry: Registry): (collection: string, up: boolean) => void {
  const gauge = new Gauge({
    name: 'berth_kubernetes_watch_up',
    help: 'Whether changes of a collection of the Kubernetes API are followed (1), or the API does not answer and what was known stays in use (0).',
    labelNames: ['collection'],
    registers: [registry],
  });
  return (collection, up) => {
    gauge.set({ collection }, up ? 1 : 0);
  };
}

/** `berth_config_in_effect`, asked for when somebody reads it. */
export function registerConfigMetric(registry: Registry, inEffect: () => boolean): void {
  new Gauge({
    name: 'berth_config_in_effect',
    help: 'Whether the agent runs with what its configuration file says (1), or the file cannot be used or has changes that need a restart (0).',
    registers: [registry],
    collect() {
      this.set(inEffect() ? 1 : 0);
    },
  });
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
