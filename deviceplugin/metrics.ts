/** Metrics of the device plugin. Labels are what the configuration names, or one of a few words: nothing that a device says of itself. */
import { Counter, Gauge, Histogram } from 'prom-client';
import type { Registry } from 'prom-client';
import type { Snapshot } from './units/unit.ts';

/** Where a resource stands with the kubelet. */
export const sessionStates = ['idle', 'serving', 'registering', 'waiting', 'streaming', 'lost', 'stopped'] as const;
export type SessionState = (typeof sessionStates)[number];

type Result = 'ok' | 'failed';

export interface DeviceMetrics {
  /** Devices of all resources, replicas counted each. */
  snapshot(snapshot: Snapshot): void;
  /** A resource is no longer offered and its session has ended: nothing is said of it any more. */
  forget(resource: string): void;
  /** Units of a resource that pods hold. */
  inUse(counts: ReadonlyMap<string, number>): void;
  /** Devices that the kubelet can give away, less those that are offered and healthy. */
  drift(resource: string, difference: number): void;
  session(resource: string, state: SessionState): void;
  registered(resource: string, result: Result): void;
  /** A list went to the kubelet. */
  listed(resource: string, bytes: number): void;
  allocated(resource: string, result: Result, seconds: number): void;
  preferred(seconds: number): void;
  /** A CDI file was written or removed. */
  cdiWritten(result: Result): void;
  /** An event of the kernel; actions and subsystems that are not well known count as `other`. */
  hotplug(action: string, subsystem: string): void;
  /** Seconds from an event of the kernel to the list that went to the kubelet because of it. */
  hotplugLatency(seconds: number): void;
  /** A source of facts works only in part, or works again. */
  sourceDegraded(source: string, degraded: boolean): void;
  probed(resource: string, result: Result, seconds: number): void;
  /** A unit became healthy or unhealthy. */
  healthChanged(resource: string, to: 'healthy' | 'unhealthy'): void;
}

const actions = new Set(['add', 'remove', 'change', 'bind', 'unbind', 'move', 'online', 'offline']);

/** Subsystems of devices that pods ask for; a label with what an event calls itself could be anything. */
const subsystems = new Set([
  'accel',
  'block',
  'dma_heap',
  'drm',
  'hidraw',
  'i2c-dev',
  'input',
  'iommu',
  'mem',
  'misc',
  'net',
  'pci',
  'sound',
  'spidev',
  'tty',
  'usb',
  'usbmisc',
  'vfio',
  'video4linux',
]);

/** Registers the metrics; call once per registry. */
export function createDeviceMetrics(registry: Registry): DeviceMetrics {
  const registers = [registry];
  const gauge = <L extends string>(name: string, help: string, labelNames: readonly L[]): Gauge<L> =>
    new Gauge({ name: `berth_device_${name}`, help, labelNames: [...labelNames], registers });
  const counter = <L extends string>(name: string, help: string, labelNames: readonly L[]): Counter<L> =>
    new Counter({ name: `berth_device_${name}`, help, labelNames: [...labelNames], registers });
  const histogram = (name: string, help: string, buckets: number[]): Histogram =>
    new Histogram({ name: `berth_device_${name}`, help, buckets, registers });

  const devices = gauge('devices', 'Advertised devices, replicas counted each.', ['resource', 'health']);
  const inUse = gauge('units_in_use', 'Units that pods hold, by the pod resources of the kubelet.', ['resource']);
  const drift = gauge(
    'drift',
    'Devices that the kubelet can give away, less those that are offered and healthy; not 0 for minutes: it has not heard.',
    ['resource'],
  );
  const session = gauge(
    'kubelet_session_state',
    '1 for the state in which the resource is with the kubelet, 0 for the others; "streaming" is the good one.',
    ['resource', 'state'],
  );
  const registrations = counter('registrations_total', 'Registrations with the kubelet.', ['resource', 'result']);
  const lists = counter('listandwatch_messages_total', 'Lists of devices sent to the kubelet.', ['resource']);
  const listBytes = gauge('listandwatch_message_bytes', 'Size of the last list; the kubelet takes 4 MiB.', [
    'resource',
  ]);
  const allocations = counter('allocations_total', 'Allocate calls of the kubelet.', ['resource', 'result']);
  const quick = [0.0001, 0.0005, 0.001, 0.005, 0.01, 0.05, 0.1, 1];
  const allocateSeconds = histogram('allocate_duration_seconds', 'Time to answer Allocate.', quick);
  const preferredSeconds = histogram('preferred_duration_seconds', 'Time to answer GetPreferredAllocation.', quick);
  const cdiWrites = counter('cdi_writes_total', 'CDI files written or removed.', ['result']);
  const hotplug = counter('hotplug_events_total', 'Events of the kernel about devices.', ['action', 'subsystem']);
  const latency = histogram(
    'hotplug_latency_seconds',
    'From an event of the kernel to the list that went to the kubelet.',
    [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1],
  );
  const degraded = gauge('source_degraded', '1 while a source of facts about devices works only in part.', ['source']);
  const probes = counter('probes_total', 'Looks at the health of units.', ['resource', 'result']);
  const probeSeconds = histogram(
    'probe_duration_seconds',
    'Time of a look at the health of a unit.',
    [0.0005, 0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 30],
  );
  const transitions = counter('health_transitions_total', 'Units that became healthy or unhealthy.', [
    'resource',
    'to',
  ]);
  const byResource: readonly (Gauge | Counter)[] = [
    devices,
    inUse,
    drift,
    session,
    registrations,
    lists,
    listBytes,
    allocations,
    probes,
    transitions,
  ];

  const forget = async (resource: string): Promise<void> => {
    for (const metric of byResource)
      for (const { labels } of (await metric.get()).values) if (labels['resource'] === resource) metric.remove(labels);
  };

  return {
    snapshot: (snapshot) => {
      for (const [resource, { rule, units }] of snapshot) {
        const { replicas } = rule.sharing;
        const unhealthy = [...units.values()].filter((unit) => unit.unhealthy !== undefined).length;
        devices.set({ resource, health: 'healthy' }, (units.size - unhealthy) * replicas);
        devices.set({ resource, health: 'unhealthy' }, unhealthy * replicas);
      }
    },
    forget: (resource) => {
      void forget(resource);
    },
    inUse: (counts) => {
      for (const [resource, count] of counts) inUse.set({ resource }, count);
    },
    drift: (resource, difference) => {
      drift.set({ resource }, difference);
    },
    session: (resource, current) => {
      for (const state of sessionStates) session.set({ resource, state }, state === current ? 1 : 0);
    },
    registered: (resource, result) => {
      registrations.inc({ resource, result });
    },
    listed: (resource, bytes) => {
      lists.inc({ resource });
      listBytes.set({ resource }, bytes);
    },
    allocated: (resource, result, seconds) => {
      allocations.inc({ resource, result });
      allocateSeconds.observe(seconds);
    },
    preferred: (seconds) => {
      preferredSeconds.observe(seconds);
    },
    cdiWritten: (result) => {
      cdiWrites.inc({ result });
    },
    hotplug: (action, subsystem) => {
      hotplug.inc({
        action: actions.has(action) ? action : 'other',
        subsystem: subsystems.has(subsystem) ? subsystem : 'other',
      });
    },
    hotplugLatency: (seconds) => {
      latency.observe(seconds);
    },
    sourceDegraded: (source, is) => {
      degraded.set({ source }, is ? 1 : 0);
    },
    probed: (resource, result, seconds) => {
      probes.inc({ resource, result });
      probeSeconds.observe(seconds);
    },
    healthChanged: (resource, to) => {
      transitions.inc({ resource, to });
    },
  };
}
