/** A row of the dashboard: what pods can have of the hardware, and how soon it is known. */
import type { PanelSpec } from '../panels.ts';
import { rate, where } from './chosen.ts';

export const devices: readonly PanelSpec[] = [
  {
    title: 'Devices by health',
    about: 'Advertised to the kubelet, replicas counted each.',
    queries: [
      {
        expr: `sum by (resource, health) (berth_device_devices{${where}})`,
        legend: '{{resource}} {{health}}',
      },
    ],
  },
  {
    title: 'Devices in use',
    about: 'Units that pods hold.',
    queries: [{ expr: `sum by (resource) (berth_device_units_in_use{${where}})`, legend: '{{resource}}' }],
  },
  {
    title: 'Resources the kubelet has not taken',
    about: 'Nothing is good.',
    queries: [
      {
        expr: `sum by (node, resource) (berth_device_kubelet_session_state{${where},state="streaming"} == bool 0)`,
        legend: '{{node}} {{resource}}',
      },
    ],
  },
  {
    title: 'From plugging in to announced',
    about: "From the kernel's event to the list that went to the kubelet.",
    unit: 's',
    queries: [50, 99].map((percent) => ({
      expr: `histogram_quantile(0.${percent}, sum by (le) (rate(berth_device_hotplug_latency_seconds_bucket{${where}}${rate})))`,
      legend: `p${percent}`,
    })),
  },
  {
    title: 'Allocations',
    about: 'Of the kubelet for containers, by what became of them.',
    unit: 'reqps',
    queries: [
      {
        expr: `sum by (resource, result) (rate(berth_device_allocations_total{${where}}${rate}))`,
        legend: '{{resource}} {{result}}',
      },
    ],
  },
  {
    title: 'Changes of health',
    about: 'Units that became healthy or unhealthy.',
    empty: 'none',
    queries: [
      {
        expr: `sum by (node, resource, to) (increase(berth_device_health_transitions_total{${where}}${rate}))`,
        legend: '{{node}} {{resource}} {{to}}',
      },
    ],
  },
];
