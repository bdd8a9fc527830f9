/** A row of the dashboard: room, calls and health of volumes. */
import type { PanelSpec } from '../panels.ts';
import { rate, where } from './chosen.ts';

export const storage: readonly PanelSpec[] = [
  {
    title: 'Room left in pools',
    about: 'The largest volume that still fits.',
    kind: 'bars',
    unit: 'bytes',
    queries: [{ expr: `berth_csi_pool_available_bytes{${where}}`, legend: '{{node}} {{pool}}' }],
  },
  {
    title: 'Days until full',
    about: 'At the pace of the last six hours; only pools that fill up.',
    empty: 'no pool fills up',
    kind: 'bars',
    unit: 'd',
    thresholds: [14, 4],
    queries: [{ expr: `berth:csi_pool_days_until_full{${where}}`, legend: '{{node}} {{pool}}' }],
  },
  {
    title: 'What takes the room',
    about: 'Promised to volumes and snapshots, used in the filesystem by whomever, and what of it is only trash.',
    unit: 'bytes',
    queries: [
      { expr: `sum by (node, pool) (berth_csi_pool_reserved_bytes{${where}})`, legend: '{{node}} {{pool}} promised' },
      { expr: `sum by (node, pool) (berth_csi_pool_allocated_bytes{${where}})`, legend: '{{node}} {{pool}} used' },
      { expr: `sum by (node, pool) (berth_csi_pool_trash_bytes{${where}})`, legend: '{{node}} {{pool}} trash' },
    ],
  },
  {
    title: 'Volumes and snapshots',
    about: 'By pool.',
    queries: [
      { expr: `sum by (pool) (berth_csi_volumes{${where}})`, legend: '{{pool}} volumes' },
      { expr: `sum by (pool) (berth_csi_snapshots{${where}})`, legend: '{{pool}} snapshots' },
    ],
  },
  {
    title: 'CSI call latency',
    about: 'The slowest hundredth of the calls of each method.',
    unit: 's',
    queries: [
      {
        expr: `histogram_quantile(0.99, sum by (method, le) (rate(berth_csi_call_seconds_bucket{${where}}${rate})))`,
        legend: '{{method}}',
      },
    ],
  },
  {
    title: 'CSI errors',
    about: 'Failed calls by method and code. Nothing is good.',
    empty: 'none failed',
    queries: [
      {
        expr: `sum by (node, method, code) (increase(berth_csi_calls_total{${where},code!="OK"}${rate}))`,
        legend: '{{node}} {{method}} {{code}}',
      },
    ],
  },
  {
    title: 'Ill pools and volumes',
    about: 'What is wrong with which. Nothing is good; docs/storage.md explains each word.',
    empty: 'all are well',
    queries: [
      { expr: `berth_csi_pool_unhealthy{${where}}`, legend: '{{node}} {{pool}} {{health}}' },
      { expr: `berth_csi_volume_unhealthy{${where}}`, legend: '{{node}} {{pool}} {{volume}} {{health}}' },
    ],
  },
  {
    title: 'Found at start',
    about: 'What the last start of the agent found in the pools.',
    empty: 'all was in order',
    queries: [
      {
        expr: `sum by (node, pool, kind) (berth_csi_start_findings{${where}}) > 0`,
        legend: '{{node}} {{pool}} {{kind}}',
      },
    ],
  },
  {
    title: 'Volumes held still',
    about: 'How long writers waited for a snapshot or a copy.',
    unit: 's',
    queries: [50, 99].map((percent) => ({
      expr: `histogram_quantile(0.${percent}, sum by (le) (rate(berth_csi_freeze_seconds_bucket{${where}}${rate})))`,
      legend: `p${percent}`,
    })),
  },
];
