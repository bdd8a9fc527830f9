/** A row of the dashboard: addresses, routes and calls of the pod network. */
import type { PanelSpec } from '../panels.ts';
import { rate, where } from './chosen.ts';

export const network: readonly PanelSpec[] = [
  {
    title: 'Addresses left',
    about: 'Of the range of each node. At 0 no pod starts there.',
    unit: 'percentunit',
    queries: [{ expr: `berth:cni_addresses_free:ratio{${where}}`, legend: '{{node}} {{family}}' }],
  },
  {
    title: 'Pods per node',
    about: 'Addresses in use.',
    queries: [
      { expr: `sum by (node, family) (berth_cni_addresses{${where},state="used"})`, legend: '{{node}} {{family}}' },
    ],
  },
  {
    title: 'Ranges of other nodes',
    about: 'Routed or tunnelled is good; unreachable and refused are not.',
    queries: [{ expr: `sum by (state) (berth_cni_node_ranges{${where}})`, legend: '{{state}}' }],
  },
  {
    title: 'CNI ADD latency',
    about: 'Time the agent takes to give a pod its network.',
    unit: 's',
    queries: [50, 99].map((percent) => ({
      expr: `histogram_quantile(0.${percent}, sum by (le) (rate(berth_cni_request_duration_seconds_bucket{${where},op="ADD"}${rate})))`,
      legend: `p${percent}`,
    })),
  },
  {
    title: 'CNI calls',
    about: 'By operation.',
    unit: 'reqps',
    queries: [{ expr: `sum by (op) (rate(berth_cni_requests_total{${where}}${rate}))`, legend: '{{op}}' }],
  },
  {
    title: 'CNI errors and repairs',
    about:
      'Failed calls by code (docs/errors.md), and what the agent restored because somebody changed it. Nothing is good.',
    empty: 'none',
    queries: [
      {
        expr: `sum by (node, op, code) (increase(berth_cni_requests_total{${where},code!="0"}${rate}))`,
        legend: '{{node}} {{op}} {{code}}',
      },
      { expr: `sum by (node, what) (increase(berth_cni_repairs_total{${where}}${rate}))`, legend: '{{node}} {{what}}' },
    ],
  },
];
