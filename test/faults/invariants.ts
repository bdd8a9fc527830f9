/** Design §4 on a running cluster: everything of ours has an owner and everything owned is there. Empty means all hold. */
import type { Cluster } from '../../cluster/cluster.ts';
import { kubectl, listPods } from '../../scripts/kubectl.ts';
import type { Pod } from '../../scripts/kubectl.ts';

type ClusterNode = Cluster['nodes'][number];

interface PersistentVolume {
  readonly spec: { readonly csi?: { readonly driver: string; readonly volumeHandle: string } };
}

interface Attachment {
  readonly addresses: readonly string[];
  readonly host: { readonly name: string };
  readonly state: string;
}

const poolPath = '/var/lib/berth/pools/default';

/** One sentence for each violation, over all nodes. */
export async function findViolations(cluster: Cluster): Promise<readonly string[]> {
  const pods = (await listPods(cluster)).filter(
    ({ status }) => status.phase === 'Running' || status.phase === 'Pending',
  );
  const { items } = JSON.parse(await kubectl(cluster, ['get', 'pv', '-o', 'json'])) as { items: PersistentVolume[] };
  const handles = items.flatMap(({ spec }) => (spec.csi?.driver === 'csi.berth.dev' ? [spec.csi.volumeHandle] : []));
  const found = await Promise.all(
    cluster.nodes.map(async (node) => {
      const here = pods.filter(({ spec }) => spec.nodeName === node.name);
      const sentences = [...(await networkViolations(node, here)), ...(await storageViolations(node, handles))];
      return sentences.map((sentence) => `${node.name}: ${sentence}`);
    }),
  );
  const volumes = (await Promise.all(cluster.nodes.map(imagesOf))).flat();
  return [...found.flat(), ...differences('persistent volume', handles, 'image', volumes)];
}

async function networkViolations(node: ClusterNode, pods: readonly Pod[]): Promise<readonly string[]> {
  const read = await node.exec(['sh', '-c', 'cat /run/berth/attachments/*.json 2>/dev/null | sed "s/}{/}\\n{/g"']);
  const attachments = lines(read.stdout).map((line) => JSON.parse(line) as Attachment);
  const addresses = attachments.flatMap((attachment) => attachment.addresses);
  const own = [node.address, node.address6];
  const podAddresses = pods
    .flatMap(({ status }) => (status.podIPs ?? []).map(({ ip }) => ip))
    .filter((ip) => !own.includes(ip));
  const list = 'ip -4 route show; ip -6 route show';
  const routes = await node.exec(['sh', '-c', `(${list}) | awk '/dev veth/ && !/^fe80/ { print $1 }'`]);
  const links = await node.exec([
    'sh',
    '-c',
    "ip -o link show type veth | awk -F '[ :@]+' '$2 ~ /^veth/ { print $2 }'",
  ]);
  return [
    ...differences('pod with address', podAddresses, 'attachment', addresses),
    ...differences('attachment', addresses, 'route', lines(routes.stdout)),
    ...differences(
      'attachment',
      attachments.map(({ host }) => host.name),
      'link',
      lines(links.stdout),
    ),
    ...attachments
      .filter(({ state }) => state !== 'active')
      .map(({ host, state }) => `attachment of ${host.name} is ${state}`),
  ];
}

async function storageViolations(node: ClusterNode, handles: readonly string[]): Promise<readonly string[]> {
  const records = await node.exec(['sh', '-c', `cd ${poolPath}/meta && ls -A`]);
  const images = await imagesOf(node);
  const trash = await node.exec(['ls', '-A', `${poolPath}/trash`]);
  const loops = await loopImages(node);
  const stages = await node.exec([
    'sh',
    '-c',
    "grep -c ' /var/lib/kubelet/plugins/kubernetes.io/csi/csi.berth.dev/.*/globalmount ' /proc/1/mountinfo || true",
  ]);
  return [
    ...differences(
      'record',
      lines(records.stdout).map((name) => name.replace(/\.json$/, '')),
      'image',
      images,
    ),
    ...lines(trash.stdout).map((name) => `${name} lies in the trash`),
    ...loops.filter((image, index) => loops.indexOf(image) !== index).map((image) => `two loop devices have ${image}`),
    ...loops
      .filter((image) => !handles.includes(image))
      .map((image) => `a loop device has ${image}, which no volume owns`),
    ...(Number(stages.stdout) > loops.length
      ? [`${stages.stdout.trim()} staged mounts on ${loops.length} loop devices`]
      : []),
  ];
}

async function imagesOf(node: ClusterNode): Promise<readonly string[]> {
  const { stdout } = await node.exec(['ls', '-A', `${poolPath}/images`]);
  return lines(stdout).map((name) => name.replace(/\.img$/, ''));
}

/** Volumes whose image a loop device has. Loop devices belong to the whole machine: ours are those of this node's files. */
async function loopImages(node: ClusterNode): Promise<readonly string[]> {
  const { stdout } = await node.exec([
    'sh',
    '-c',
    `for i in ${poolPath}/images/*.img; do losetup -n -O BACK-FILE -j "$i"; done`,
  ]);
  return lines(stdout).map((path) =>
    path
      .trim()
      .replace(/^.*\//, '')
      .replace(/\.img.*$/, ''),
  );
}

function lines(text: string): readonly string[] {
  return text.split('\n').filter((line) => line !== '');
}

/** What stands in one list only. */
function differences(a: string, inA: readonly string[], b: string, inB: readonly string[]): readonly string[] {
  return [
    ...inA.filter((item) => !inB.includes(item)).map((item) => `${a} ${item} has no ${b}`),
    ...inB.filter((item) => !inA.includes(item)).map((item) => `${b} ${item} has no ${a}`),
  ];
}
