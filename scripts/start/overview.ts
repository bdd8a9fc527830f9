/** What each pod got, read from the node and from inside the pod, not from what was asked for. */
import type { Cluster } from '../../cluster/cluster.ts';
import { formatTable } from '../../kit/table.ts';
import { inPod, listClaims } from '../kubectl.ts';
import type { Claim, Container, Pod } from '../kubectl.ts';
import type { PodTimes } from './podtimes.ts';

/** Device nodes that every container has. */
const usualDevices = /^\/dev\/(console|full|null|ptmx|pts\/.*|random|tty|urandom|zero)$/;

/** One line a pod: node, address, host interface, device nodes, volumes, time from `apply` to Running. */
export async function formatOverview(cluster: Cluster, pods: readonly Pod[], times: PodTimes): Promise<string> {
  const claims = await listClaims(cluster);
  const rows = await Promise.all(pods.map((pod) => rowOf(cluster, pod, claims, times)));
  const headings = ['POD', 'NODE', 'ADDRESS', 'INTERFACE', 'DEVICES', 'VOLUMES', 'RUNNING AFTER'];
  return formatTable(
    headings,
    rows.sort((a, b) => (a[0] ?? '').localeCompare(b[0] ?? '')),
  );
}

async function rowOf(
  cluster: Cluster,
  pod: Pod,
  claims: readonly Claim[],
  times: PodTimes,
): Promise<readonly string[]> {
  const { metadata, spec, status } = pod;
  const [first] = spec.containers;
  const runs = status.phase === 'Running' && first !== undefined;
  const after = times.runningAfter(`${metadata.namespace}/${metadata.name}`);
  return [
    metadata.name,
    spec.nodeName ?? '-',
    status.podIP ?? '-',
    (runs && (await interfaceOf(cluster, pod))) || '-',
    (runs && (await devicesOf(cluster, pod, first))) || '-',
    (await volumesOf(cluster, pod, claims, runs ? first : undefined)) || '-',
    after === undefined ? '-' : `${(after / 1000).toFixed(1)}s`,
  ];
}

/** The node's end of the pod's link: where the node's routing table sends the pod's address. */
async function interfaceOf(cluster: Cluster, pod: Pod): Promise<string> {
  const node = cluster.nodes.find(({ name }) => name === pod.spec.nodeName);
  if (node === undefined || pod.status.podIP === undefined) return '';
  const { stdout } = await node.exec(['ip', '-o', 'route', 'get', pod.status.podIP]);
  return / dev (\S+)/.exec(stdout)?.[1] ?? '';
}

async function devicesOf(cluster: Cluster, pod: Pod, container: Container): Promise<string> {
  const { stdout } = await inPod(cluster, pod, ['find', '/dev', '-type', 'c', '-o', '-type', 'b']);
  const mine = container.volumeDevices?.map(({ devicePath }) => devicePath) ?? [];
  const found = stdout.split('\n').filter((path) => path !== '' && !usualDevices.test(path) && !mine.includes(path));
  return found.sort().join(',');
}

async function volumesOf(
  cluster: Cluster,
  pod: Pod,
  claims: readonly Claim[],
  container: Container | undefined,
): Promise<string> {
  const mounts = container === undefined ? '' : (await inPod(cluster, pod, ['cat', '/proc/mounts'])).stdout;
  const volumes = (pod.spec.volumes ?? []).flatMap(({ name, persistentVolumeClaim: source }) => {
    const claim = claims.find(
      ({ metadata }) => metadata.name === source?.claimName && metadata.namespace === pod.metadata.namespace,
    );
    if (claim === undefined) return [];
    const path = container?.volumeMounts?.find((mount) => mount.name === name)?.mountPath;
    const kind = claim.spec.volumeMode === 'Block' ? 'block' : filesystemAt(mounts, path);
    return [`${claim.metadata.name} ${claim.status.capacity?.storage ?? '?'} ${kind}`.trim()];
  });
  return volumes.join(', ');
}

function filesystemAt(mounts: string, path: string | undefined): string {
  return (
    mounts
      .split('\n')
      .map((line) => line.split(' '))
      .find(([, target]) => target === path)?.[2] ?? ''
  );
}
