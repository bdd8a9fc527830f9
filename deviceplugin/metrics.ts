/** Metrics of the device plugin. */
import { Counter, Gauge, Histogram } from 'prom-client';
import type { Registry } from 'prom-client';
import type { Snapshot } from './matching.ts';

/** Where a resource stands with the kubelet. */
export const sessionStates = ['idle', 'serving', 'registering', 'waiting', 'streaming', 'lost', 'stopped'] as const;
export type SessionState = (typeof sessionStates)[number];

export interface DeviceMetrics {
  snapshot(snapshot: Snapshot): void;
  session(resource: string, state: SessionState): void;
  registered(resource: string, result: 'ok' | 'failed'): void;
  allocated(resource: string, result: 'ok' | 'failed', seconds: number): void;
}

/** Registers the metrics; call once per registry. */
export function createDeviceMetrics(registry: Registry): DeviceMetrics {
  const registers = [registry];
  const devices = new Gauge({
    name: 'berth_device_devices',
    help: 'Advertised devices, replicas counted each.',
    labelNames: ['resource', 'health'],
    registers,
  });
  const session = new Gauge({
    name: 'berth_device_kubelet_session_state',
    help: '1 for the state in which the resource is with the kubelet, 0 for the others; "streaming" is the good one.',
    labelNames: ['resource', 'state'],
    registers,
  });
  const registrations = new Counter({
    name: 'berth_device_registrations_total',
    help: 'Registrations with the kubelet.',
    labelNames: ['resource', 'result'],
    registers,
  });
  const allocations = new Counter({
    name: 'berth_device_allocations_total',
    help: 'Allocate calls of the kubelet.',
    labelNames: ['resource', 'result'],
    registers,
  });
  const duration = new Histogram({
    name: 'berth_device_allocate_duration_seconds',
    help: 'Time to answer Allocate.',
    buckets: [0.0001, 0.0005, 0.001, 0.005, 0.01, 0.05, 0.1, 1],
    registers,
  });
  return {
    snapshot: (snapshot) => {
      for (const { name, units } of snapshot.values()) {
        const unhealthy = [...units.values()].filter((unit) => unit.unhealthy !== undefined).length;
        devices.set({ resource: name, health: 'healthy' }, units.size - unhealthy);
        devices.set({ resource: name, health: 'unhealthy' }, unhealthy);
      }
    },
    session: (resource, current) => {
      for (const state of sessionStates) session.set({ resource, state }, state === current ? 1 : 0);
    },
    registered: (resource, result) => {
      registrations.inc({ resource, result });
    },
    allocated: (resource, result, seconds) => {
      allocations.inc({ resource, result });
      duration.observe(seconds);
    },
  };
}
