/** A row of the dashboard: how the agents themselves are. */
import type { PanelSpec } from '../panels.ts';
import { rate, where } from './chosen.ts';

export const agents: readonly PanelSpec[] = [
  {
    title: 'Restarts',
    about: 'Of the agent, in each hour.',
    queries: [
      {
        expr: `changes(process_start_time_seconds{${where}}[1h]) and on (job, instance) berth_build_info{${where}}`,
        legend: '{{node}} {{instance}}',
      },
    ],
  },
  {
    title: 'Memory',
    about: 'Resident; its limit is 512 MiB as it is delivered.',
    unit: 'bytes',
    queries: [
      {
        expr: `process_resident_memory_bytes{${where}} and on (job, instance) berth_build_info{${where}}`,
        legend: '{{node}} {{instance}}',
      },
    ],
  },
  {
    title: 'Processor time',
    about: 'Processors that it keeps busy.',
    queries: [
      {
        expr: `rate(process_cpu_seconds_total{${where}}${rate}) and on (job, instance) berth_build_info{${where}}`,
        legend: '{{node}} {{instance}}',
      },
    ],
  },
  {
    title: 'Event loop lag',
    about: 'How late the slowest hundredth of its turns begins; every call waits for it.',
    unit: 's',
    queries: [
      {
        expr: `nodejs_eventloop_lag_p99_seconds{${where}} and on (job, instance) berth_build_info{${where}}`,
        legend: '{{node}} {{instance}}',
      },
    ],
  },
  {
    title: 'Watches of the Kubernetes API',
    about: '1: changes are followed. 0: what was known stays in use.',
    queries: [{ expr: `berth_kubernetes_watch_up{${where}}`, legend: '{{node}} {{collection}}' }],
  },
  {
    title: 'Open files',
    about: 'Of the agent.',
    queries: [
      {
        expr: `process_open_fds{${where}} and on (job, instance) berth_build_info{${where}}`,
        legend: '{{node}} {{instance}}',
      },
    ],
  },
];
