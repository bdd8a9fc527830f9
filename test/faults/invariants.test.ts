// The invariant checker on a real node: what is planted there is found, and nothing else.
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { ClusterNode } from '../../cluster/node.ts';
import { linkGroup } from '../../cni/attachment.ts';
import { claimManifest, eventually, podManifest, useScene } from '../cluster/scene.ts';
import { findViolations } from './invariants.ts';
import { invariantsHold } from './invariantshold.ts';

const scene = useScene('invariants');
const { cluster } = scene;
const node = cluster.nodes[1] as ClusterNode;

interface Planted {
  readonly title: string;
  /** Shell lines for the node, where $ip and $link are the pod's address and its link, $record its record, $sandbox its namespace. */
  readonly plant: string;
  readonly remove: string;
  readonly says: readonly RegExp[];
}

const planted: readonly Planted[] = [
  {
    title: 'a second way to a pod',
    plant: 'ip route add $ip dev eth0 metric 7',
    remove: 'ip route del $ip dev eth0 metric 7',
    says: [/node-2: route \S+ over eth0 has no attachment/],
  },
  {
    title: 'a route of our protocol to nowhere',
    plant: 'ip route add 10.250.0.0/24 via 10.77.0.11 protocol 98',
    remove: 'ip route del 10.250.0.0/24 protocol 98',
    says: [/node-2: route node-1 with 10\.250\.0\.0\/24 has no node/],
  },
  {
    title: 'a link of our group',
    plant: `ip link add stray group ${linkGroup} type ifb`,
    remove: 'ip link del stray',
    says: [/node-2: link stray \(ifb .* has no attachment/, /node-2: link stray is down/],
  },
  {
    title: 'a neighbour on the pod’s link',
    plant: 'ip neighbour add 10.244.1.250 lladdr 02:00:00:00:00:09 dev $link',
    remove: 'ip neighbour del 10.244.1.250 dev $link',
    says: [/node-2: neighbour 10\.244\.1\.250 02:00:00:00:00:09 on veth\w+ has no attachment/],
  },
  {
    title: 'a limit that nobody asked for',
    plant: 'tc qdisc add dev $link root tbf rate 1mbit burst 10kb latency 50ms',
    remove: 'tc qdisc del dev $link root',
    says: [/node-2: discipline tbf on veth\w+ of 125000 bytes\/s has no attachment/],
  },
  {
    title: 'an element of the nft table',
    plant: 'nft add element inet berth ports "{ tcp . 60001 : 10.244.1.250 . 80 }"',
    remove: 'nft delete element inet berth ports "{ tcp . 60001 : 10.244.1.250 . 80 }"',
    says: [/node-2: element tcp \. 60001 : 10\.244\.1\.250 \. 80 in ports has no owner/],
  },
  {
    title: 'a record copied under another name, so that two own its addresses',
    plant: 'cp $record /run/berth/attachments/copy.json',
    remove: 'rm /run/berth/attachments/copy.json',
    says: [
      /node-2: copy\.json has the record of invariants\/pod/,
      /node-2: pod \S+ has two attachments/,
      // Of whatever range the controller manager gave this node: it goes by the order in which the nodes came.
      /^address 10\.244\.\d+\.\d+ has 2 owners: invariants\/pod on node-2, invariants\/pod on node-2/,
      /^address fd00:244:[\da-f:]+ has 2 owners: invariants\/pod on node-2, invariants\/pod on node-2/,
      /node-2: the agent counts \d+ addresses as used, records have \d+/,
    ],
  },
  {
    title: 'a call in the queue',
    plant: 'mkdir -p /run/berth/queue && : >/run/berth/queue/DEL,gone,eth0',
    remove: 'rm /run/berth/queue/DEL,gone,eth0',
    says: [/node-2: the call DEL,gone,eth0 waits in the queue/],
  },
  {
    title: 'a second address inside the pod',
    plant: 'ip -n $sandbox addr add 10.244.1.250/32 dev eth0',
    remove: 'ip -n $sandbox addr del 10.244.1.250/32 dev eth0',
    says: [/node-2: address in its pod 10\.244\.1\.250 has no attachment of invariants\/pod/],
  },
  {
    title: 'an image without a record',
    plant: 'truncate -s 1M $pool/images/stray.img',
    remove: 'rm $pool/images/stray.img',
    says: [/node-2: pool default: image stray has no record/, /^image stray has no persistent volume/],
  },
  {
    title: 'a snapshot without a record, in a pool that is not the default',
    plant: ': >$small/snapshots/stray.img',
    remove: 'rm $small/snapshots/stray.img',
    says: [/node-2: pool small: snapshot stray has no record/, /^snapshot stray has no snapshot content/],
  },
  {
    title: 'a second loop device of a volume',
    plant: 'losetup -f $(ls $pool/images/*.img)',
    remove: 'losetup -d $(losetup -n -O NAME -j $(ls $pool/images/*.img) | sort -V | tail -n 1)',
    says: [/node-2: pool default: two loop devices have \S+\.img/],
  },
];

let variables = '';

/** Runs shell lines on the node. */
async function sh(lines: string): Promise<string> {
  const { stdout, stderr, code } = await node.exec(['sh', '-ec', `${variables}\n${lines}`]);
  expect(stderr).toBe('');
  expect(code).toBe(0);
  return stdout;
}

beforeAll(async () => {
  await scene.apply(
    claimManifest('data', 'berth-ext4', '64Mi'),
    podManifest('pod', { node: node.name, claims: { '/data': 'data' } }),
  );
  const pod = await scene.ready('pod');
  const record = (await sh(`grep -l ${pod.metadata.uid} /run/berth/attachments/*.json`)).trim();
  const text = await sh(`cat ${record}`);
  const [, sandbox = ''] = /"path":"[^"]*\/([^"/]+)"/.exec(text) ?? [];
  const [, link = ''] = /"name":"(veth\w+)"/.exec(text) ?? [];
  variables = `ip=${pod.status.podIP ?? ''} link=${link} record=${record} sandbox=${sandbox} pool=/var/lib/berth/pools/default small=/var/lib/berth/pools/small`;
  await invariantsHold(cluster);
});

afterAll(async () => {
  await scene.remove('pod', 'pod');
  await scene.remove('pvc', 'data');
});

test.each(planted)('$title is found', async ({ title, plant, remove, says }) => {
  // The agent looks at the node from time to time and repairs some of it, perhaps before it is found: then once more.
  const sentences = await eventually(`${title} to be found`, 30, async () => {
    await sh(plant);
    try {
      const all = await findViolations(cluster);
      const missed = says.filter((pattern) => !all.some((sentence) => pattern.test(sentence)));
      if (missed.length > 0) throw new Error(`not found: ${missed.join(', ')}; found: ${all.join('; ')}`);
      return all;
    } finally {
      await sh(`{ ${remove}; } 2>/dev/null || true`);
    }
  });
  expect(sentences.filter((sentence) => !says.some((pattern) => pattern.test(sentence)))).toEqual([]);
  await invariantsHold(cluster);
});
