/** Objects for the tests of the client, as small as they can be. */
import type { AddressPoolView } from '../../cni/views.ts';
import type { StoragePoolView } from '../../csi/views.ts';
import type { DeviceView } from '../../deviceplugin/views.ts';
import type { FleetSight } from './explain/sight.ts';
import type { BerthNodeObject, NodeObject, PodObject } from './objects.ts';

export function nodeObject(name: string, more: Partial<NodeObject> = {}): NodeObject {
  const labels = { 'kubernetes.io/os': 'linux', 'kubernetes.io/hostname': name, 'csi.berth.dev/node': name };
  return {
    metadata: { name, labels },
    status: { conditions: [{ type: 'Ready', status: 'True' }] },
    ...more,
  };
}

/** An agent's pod whose one container runs, or is in this state. */
export function agentPod(node: string, state: object = { running: {} }, ready = 'running' in state): PodObject {
  return {
    metadata: {
      name: `berth-${node}`,
      namespace: 'berth-system',
      labels: { 'app.kubernetes.io/name': 'berth', 'app.kubernetes.io/component': 'agent' },
    },
    spec: { nodeName: node },
    status: { phase: 'Running', containerStatuses: [{ name: 'berth', ready, state }] },
  };
}

export function berthNode(name: string, message?: string, version = '0.1.0'): BerthNodeObject {
  const status = message === undefined ? 'True' : 'False';
  const condition = (type: string): object => ({ type, status, reason: 'Any', message: message ?? 'serves' });
  return {
    metadata: { name },
    status: {
      version,
      conditions: ['Ready', 'NetworkReady', 'DevicesReady', 'StorageReady'].map(condition) as never,
      network: { attachments: 3, ranges: [{ range: '10.1.0.0/24', size: 253, used: 3 }] },
      devices: {
        healthy: '1/1',
        resources: [{ name: 'berth.dev/scanner', devices: 1, healthy: 1, used: 0, capacity: 1 }],
      },
      storage: { available: '10240Mi', volumes: 1, snapshots: 0, pools: [{ name: 'default', reason: '' }] },
    },
  };
}

export function deviceView(id: string, holders: readonly string[] = [], reason = ''): DeviceView {
  return {
    resource: 'berth.dev/scanner',
    id,
    nodes: [`/dev/${id}`],
    health: reason === '' ? 'Healthy' : 'Unhealthy',
    reason,
    numaNode: null,
    replicas: 1,
    holders: holders.map((pod) => ({ namespace: 'shop', pod, container: 'main' })),
  };
}

export function poolView(name: string, available: number, reason = ''): StoragePoolView {
  return {
    ...{ kind: 'storage', name, id: 'p1', engine: 'image', path: `/pools/${name}`, size: 20 * 2 ** 30 },
    ...{ free: available, reserved: 0, available, trash: 0, volumes: 0, snapshots: 0, reason },
  };
}

/** Nodes with what their agents tell of devices and pools. */
export function fleet(
  nodes: Readonly<
    Record<
      string,
      {
        readonly devices?: readonly DeviceView[];
        readonly pools?: readonly (StoragePoolView | AddressPoolView)[];
        readonly object?: Partial<NodeObject>;
        readonly told?: BerthNodeObject;
      }
    >
  >,
  more: Partial<FleetSight> = {},
): FleetSight {
  const entries = Object.entries(nodes);
  return {
    nodes: { seen: entries.map(([name, { object }]) => nodeObject(name, object)) },
    berthNodes: { seen: entries.map(([name, { told }]) => told ?? berthNode(name)) },
    devices: entries.map(([node, { devices = [] }]) => ({ node, answer: { items: devices } })),
    pools: entries.map(([node, { pools = [] }]) => ({ node, answer: { items: pools } })),
    capacities: { seen: [] },
    agentsUnseen: '',
    ...more,
  };
}
