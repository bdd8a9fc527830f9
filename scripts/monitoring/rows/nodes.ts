/** A row of the dashboard: whether every node is well. */
import type { PanelSpec } from '../panels.ts';
import { where } from './chosen.ts';

export const nodes: readonly PanelSpec[] = [
  {
    title: 'Nodes with an agent',
    about: 'Agents whose metrics are read.',
    kind: 'number',
    queries: [{ expr: `count(count by (node) (berth_build_info{${where}}))`, legend: 'nodes' }],
  },
  {
    title: 'Services that do not work',
    about: 'Of all nodes; 0 is good.',
    kind: 'number',
    thresholds: [1, 1.5],
    queries: [{ expr: `sum(berth_service_ready{${where}} == bool 0)`, legend: 'services' }],
  },
  {
    title: 'Pods with an address',
    about: 'Addresses in use.',
    kind: 'number',
    queries: [{ expr: `sum by (family) (berth_cni_addresses{${where},state="used"})`, legend: '{{family}}' }],
    width: 5,
  },
  {
    title: 'Devices healthy',
    about: 'Of those that are advertised; 100 % is good.',
    kind: 'number',
    unit: 'percentunit',
    thresholds: [1, 0.9],
    queries: [
      {
        expr: `sum(berth_device_devices{${where},health="healthy"}) / sum(berth_device_devices{${where}})`,
        legend: 'healthy',
      },
    ],
  },
  {
    title: 'Volumes',
    about: 'In all pools.',
    kind: 'number',
    queries: [{ expr: `sum(berth_csi_volumes{${where}})`, legend: 'volumes' }],
    width: 3,
  },
  {
    title: 'Ill volumes and pools',
    about: '0 is good. Which: below, at Storage.',
    kind: 'number',
    thresholds: [1, 1.5],
    queries: [
      {
        expr: `(count(berth_csi_volume_unhealthy{${where}}) or vector(0)) + (count(berth_csi_pool_unhealthy{${where}}) or vector(0))`,
        legend: 'ill',
      },
    ],
  },
  {
    title: 'Is every node well?',
    about: 'How many of the services of each node work, of all that it has: 100 % is good.',
    kind: 'bars',
    unit: 'percentunit',
    thresholds: [1, 0.5],
    width: 12,
    queries: [{ expr: `avg by (node) (berth_service_ready{${where}})`, legend: '{{node}}' }],
  },
  {
    title: 'Versions',
    about: 'How many agents run which; one version is good.',
    width: 12,
    queries: [{ expr: `count by (version) (berth_build_info{${where}})`, legend: '{{version}}' }],
  },
];
