/** What goes into a support archive: every piece with the path it has there, and how it is got. */
import type { Agent } from '../agents.ts';
import { execArguments, partsOfAgent } from '../agents.ts';
import type { PodObject } from '../objects.ts';
import { clusterKinds } from '../get/kinds.ts';

export interface Piece {
  /** In the archive; of letters, digits, dots, dashes and slashes. */
  readonly path: string;
  /** Arguments of kubectl. */
  readonly args: readonly string[];
  /** `object`: JSON, of which Secrets are never asked for. `lines`: a log. */
  readonly form: 'object' | 'lines';
  /** Exit codes with which it is an answer. */
  readonly codes?: readonly number[];
  /** That there is none is no news. */
  readonly optional?: true;
}

const mostLines = 20_000;

/** `pods` are those of agents. */
export function piecesOf(
  agents: readonly Agent[],
  pods: readonly PodObject[],
  namespaces: readonly string[],
): readonly Piece[] {
  return [
    ...clusterPieces(),
    ...namespaces.flatMap(namespacePieces),
    ...agents.flatMap(agentPieces),
    ...pods.flatMap(logPieces),
  ];
}

function clusterPieces(): readonly Piece[] {
  const list = (name: string, ...args: readonly string[]): Piece => ({
    path: `cluster/${name}.json`,
    args: ['get', '-o', 'json', ...args],
    form: 'object',
  });
  return [
    { path: 'cluster/version.json', args: ['version', '-o', 'json'], form: 'object' },
    list('nodes', 'nodes'),
    list('berthnodes', 'berthnodes.berth.dev'),
    list('csidriver', 'csidrivers.storage.k8s.io', 'csi.berth.dev', '--ignore-not-found'),
    list('csinodes', 'csinodes.storage.k8s.io'),
    list('storageclasses', 'storageclasses.storage.k8s.io'),
    list('persistentvolumes', 'persistentvolumes'),
    list('capacities', 'csistoragecapacities.storage.k8s.io', '--all-namespaces'),
    list('policies', 'validatingadmissionpolicies.admissionregistration.k8s.io', '-l', 'app.kubernetes.io/name=berth'),
    list('events', 'events', '--all-namespaces', '--field-selector=reportingComponent=berth.dev/agent'),
  ];
}

function namespacePieces(namespace: string): readonly Piece[] {
  const list = (kind: string): Piece => ({
    path: `namespaces/${safe(namespace)}/${kind.split('.')[0] ?? kind}.json`,
    args: ['get', '-o', 'json', `--namespace=${namespace}`, kind],
    form: 'object',
  });
  return ['daemonsets.apps', 'pods', 'configmaps', 'events'].map(list);
}

/** Asks each part on its own port, because all are in the node's network; `agent.port` may be another than usual. */
const metricsScript = [
  "import { readFileSync } from 'node:fs';",
  "let text = ''; try { text = readFileSync('/etc/berth/config.yaml', 'utf8'); } catch {}",
  'const port = Number(/^\\s+port:\\s*(\\d+)/m.exec(text)?.[1] ?? 9880);',
  'for (const each of [port, port + 1, port + 2]) {',
  "  const answer = await fetch(`http://127.0.0.1:${each}/metrics`).then((got) => got.text()).catch(() => '');",
  '  process.stdout.write(answer);',
  '}',
].join('\n');

function agentPieces(agent: Agent): readonly Piece[] {
  const { node, container } = agent;
  if (container === undefined) return [];
  const folder = `nodes/${safe(node)}`;
  const berth = (path: string, ...command: readonly string[]): Piece => ({
    path: `${folder}/${path}.json`,
    args: execArguments(agent, container, [...command, '-o', 'json']),
    form: 'object',
    codes: [0, 1],
  });
  const program = ['/opt/berth/bin/node', '--input-type=module', '--eval', metricsScript];
  const inside = ['exec', `--namespace=${agent.namespace}`, agent.pod, `--container=${container}`, '--'];
  return [
    ...[...clusterKinds, 'inventory'].map((kind) => berth(kind, 'get', kind)),
    ...partsOfAgent(agent).map((part): Piece => ({
      path: `${folder}/doctor${part.container === 'berth' ? '' : `-${part.container ?? ''}`}.json`,
      args: execArguments(part, part.container ?? container, ['doctor', '-o', 'json']),
      form: 'object',
      codes: [0, 1],
    })),
    { path: `${folder}/metrics.txt`, args: [...inside, ...program], form: 'lines' },
  ];
}

function logPieces({ metadata, spec, status }: PodObject): readonly Piece[] {
  const namespace = `--namespace=${metadata.namespace ?? 'default'}`;
  const node = safe(spec?.nodeName ?? 'no-node');
  return [...(spec?.initContainers ?? []), ...(spec?.containers ?? [])].flatMap(({ name }) => {
    const statuses = [...(status?.initContainerStatuses ?? []), ...(status?.containerStatuses ?? [])];
    const restarts = statuses.find((each) => each.name === name)?.restartCount ?? 0;
    const log = (previous: boolean): Piece => ({
      path: `nodes/${node}/logs/${safe(metadata.name)}/${safe(name)}${previous ? '.previous' : ''}.log`,
      args: [
        'logs',
        namespace,
        metadata.name,
        `--container=${name}`,
        `--tail=${mostLines}`,
        '--timestamps',
        ...(previous ? ['--previous'] : []),
      ],
      form: 'lines',
      ...(previous ? { optional: true } : {}),
    });
    return restarts > 0 ? [log(false), log(true)] : [log(false)];
  });
}

/** Names come from the API server; what is no name becomes dashes. */
function safe(name: string): string {
  const text = name.replace(/[^A-Za-z0-9._-]/g, '-').replace(/^\.+/, '-');
  return text.slice(0, 80);
}
