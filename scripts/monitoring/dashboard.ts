/** The Grafana dashboard: what an administrator asks about Berth, a row for each subject and a panel for each question. */
import { datasource, placeRow } from './panels.ts';
import { agents } from './rows/agents.ts';
import { devices } from './rows/devices.ts';
import { network } from './rows/network.ts';
import { nodes } from './rows/nodes.ts';
import { storage } from './rows/storage.ts';

/** Each row with its panels. */
const rows = { Nodes: nodes, Network: network, Devices: devices, Storage: storage, Agents: agents };

/** Every query, with the variables as they stand in it. */
export function dashboardQueries(): readonly string[] {
  return Object.values(rows).flatMap((row) => row.flatMap(({ queries }) => queries.map(({ expr }) => expr)));
}

function variable(name: string, label: string, query: string): object {
  return {
    name,
    label,
    type: 'query',
    datasource,
    query: { query, refId: name },
    refresh: 2,
    regex: '',
    sort: 7,
    multi: true,
    includeAll: true,
    allValue: '.*',
    current: { text: ['All'], value: ['$__all'] },
    hide: 0,
    options: [],
  };
}

/** The text of dashboard.json, before it is formatted. */
export function dashboard(): string {
  const panels: object[] = [];
  let place = { id: 1, x: 0, y: 0 };
  for (const [title, specs] of Object.entries(rows)) {
    const placed = placeRow(title, specs, place);
    panels.push(...placed.panels);
    place = placed.next;
  }
  return JSON.stringify({
    uid: 'berth',
    title: 'Berth',
    description: 'Network, devices and storage of the nodes, and the agents that bring them.',
    tags: ['berth', 'kubernetes'],
    schemaVersion: 41,
    version: 1,
    editable: true,
    graphTooltip: 1,
    refresh: '30s',
    time: { from: 'now-3h', to: 'now' },
    timezone: 'browser',
    timepicker: {},
    fiscalYearStartMonth: 0,
    links: [],
    annotations: { list: [] },
    templating: {
      list: [
        {
          name: 'datasource',
          label: 'Prometheus',
          type: 'datasource',
          query: 'prometheus',
          current: { text: '', value: '' },
          hide: 0,
          options: [],
          refresh: 1,
          regex: '',
        },
        variable('node', 'Node', 'label_values(berth_build_info, node)'),
        variable('instance', 'Instance', 'label_values(berth_build_info{node=~"$node"}, instance)'),
      ],
    },
    panels,
  });
}
