/** What `npm start` proves of the examples, one sentence each; a proof that fails throws and names what was seen. */
import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Cluster } from '../../cluster/cluster.ts';
import { run } from '../../cluster/command.ts';
import { BerthError } from '../../kit/errors.ts';
import { manifestFolder } from '../deploy.ts';
import { eventsOf, inPod, isSettled, kubectl, listPods } from '../kubectl.ts';
import type { Pod } from '../kubectl.ts';

export interface Proof {
  /** What holds if the proof succeeds. */
  readonly claim: string;
  /** Resolves with what was seen; throws when the claim does not hold. */
  readonly prove: () => Promise<string>;
}

const namespace = 'berth-examples';
const snapshotFolder = join(manifestFolder, 'examples/snapshot');
/** Major and minor number of /dev/fuse: fixed in the kernel's list of devices. */
const fuse = { major: 10, minor: 229 };

/** The proofs for daemonset/examples, in the order in which they are to be run. */
export function exampleProofs(cluster: Cluster): readonly Proof[] {
  const pod = (name: string): Promise<Pod> => findPod(cluster, name);
  const nodeOf = async (name: string): Promise<Cluster['nodes'][number]> => {
    const { spec } = await pod(name);
    return cluster.nodes.find((node) => node.name === spec.nodeName) ?? refuse(`pod ${name} is on no node of ours`);
  };
  const inside = async (name: string, command: string): Promise<{ code: number; text: string }> => {
    const { stdout, stderr, code } = await inPod(cluster, await pod(name), ['sh', '-c', command]);
    return { code, text: (stdout + stderr).trim() };
  };
  const fetchInside = async (name: string, url: string): Promise<string> => {
    const { code, text } = await inside(name, `timeout 5 wget -q -O - ${url}`);
    return code === 0 ? `${url} → "${text}"` : refuse(`${name} gets nothing from ${url}: ${text}`);
  };

  return [
    {
      claim: 'the node reaches the pod over HTTP',
      prove: async () => {
        const address = await addressOf(cluster, 'web');
        const node = await nodeOf('web');
        const url = `http://${address}:8080/`;
        return `${url} → "${await fetchFromNode(node, url)}"`;
      },
    },
    {
      claim: 'a pod reaches another pod',
      prove: async () => fetchInside('client', `http://${await addressOf(cluster, 'web')}:8080/`),
    },
    {
      claim: 'a pod reaches a Service',
      prove: async () => {
        const service = await kubectl(cluster, [
          'get',
          'service',
          'web',
          '-n',
          namespace,
          '-o',
          'jsonpath={.spec.clusterIP}',
        ]);
        return fetchInside('client', `http://${service}/`);
      },
    },
    {
      claim: 'the device can be opened in the pod that asked for it',
      prove: async () => {
        const { code, text } = await inside('web', 'exec 3<>/dev/fuse && ls -l /dev/fuse');
        return code === 0 ? text.replaceAll(/\s+/g, ' ') : refuse(`web cannot open /dev/fuse: ${text}`);
      },
    },
    {
      claim: 'a pod that did not ask cannot open it, even with a node of its own making',
      prove: async () => {
        const make = `rm -f /tmp/fuse && mknod /tmp/fuse c ${fuse.major} ${fuse.minor} && exec 3<>/tmp/fuse`;
        const { code, text } = await inside('client', make);
        if (code === 0) refuse('client opened /dev/fuse without a limit');
        return /not permitted|denied/i.test(text)
          ? firstLine(text)
          : refuse(`client failed for another reason: ${text}`);
      },
    },
    {
      claim: 'a pod that asks for more devices than there are stays Pending, and says why',
      prove: () => proveGreedyPodWaits(cluster),
    },
    {
      claim: 'bytes written to a raw block volume are read back from the device',
      prove: async () => {
        const token = randomUUID();
        const write = `echo ${token} | dd of=/dev/volume bs=4096 count=1 conv=sync,fsync`;
        const read = 'dd if=/dev/volume bs=4096 count=1 2>/dev/null | head -n 1';
        const { text } = await inside('block', `${write} 2>/dev/null && ${read}`);
        return text === token ? token : refuse(`block read "${text}" after writing ${token}`);
      },
    },
    {
      claim: 'a snapshot gives back what a volume held, in a larger one',
      prove: async () => {
        const token = randomUUID();
        const inExamples = async (...args: readonly string[]): Promise<unknown> =>
          kubectl(cluster, [...args, '-n', namespace]);
        await inside('web', `echo ${token} > /data/snapshotted && sync`);
        try {
          await inExamples('apply', '-f', join(snapshotFolder, 'snapshot.yaml'));
          const ready = '--for=jsonpath={.status.readyToUse}=true';
          await inExamples('wait', 'volumesnapshot/web', ready, '--timeout=60s');
          await inside('web', 'rm /data/snapshotted && sync');
          await inExamples('apply', '-f', join(snapshotFolder, 'restored.yaml'));
          await inExamples('wait', 'pod/restored', '--for=condition=Ready', '--timeout=60s');
          const { text } = await inside('restored', 'cat /data/snapshotted; df -m /data | tail -n 1');
          if (!text.startsWith(token)) refuse(`the restored volume has "${text}" in place of ${token}`);
          return text.replaceAll(/\s+/g, ' ');
        } finally {
          for (const kind of ['pod/restored', 'pvc/restored', 'volumesnapshot/web'])
            await inExamples('delete', kind, '--ignore-not-found', '--wait', '--timeout=60s');
        }
      },
    },
    {
      claim: 'files on both volumes survive the replacement of their pod',
      prove: async () => {
        const token = randomUUID();
        const { code, text } = await inside('web', `echo ${token} | tee /data/proof /archive/proof && sync`);
        if (code !== 0) refuse(`web cannot write to its volumes: ${text}`);
        const before = await pod('web');
        await kubectl(cluster, ['delete', 'pod', before.metadata.name, '-n', namespace, '--wait']);
        await kubectl(cluster, ['rollout', 'status', 'deployment/web', '-n', namespace, '--timeout=60s']);
        const after = await pod('web');
        if (after.metadata.uid === before.metadata.uid) refuse('web was not replaced');
        const read = await inside('web', 'cat /data/proof /archive/proof');
        if (read.text !== `${token}\n${token}`) refuse(`the new pod reads "${read.text}" in place of ${token} twice`);
        return `${token} read by the pod that came after`;
      },
    },
  ];
}

/** The proof for manifests that are not ours: every running pod with an address of its own answers its node. */
export function generalProofs(cluster: Cluster, pods: readonly Pod[]): readonly Proof[] {
  return pods
    .filter(({ status }) => status.phase === 'Running' && status.podIP !== undefined)
    .map(({ metadata, spec, status }) => ({
      claim: `pod ${metadata.namespace}/${metadata.name} answers its node`,
      prove: async () => {
        const node = cluster.nodes.find(({ name }) => name === spec.nodeName) ?? refuse('it is on no node of ours');
        const address = status.podIP ?? '';
        const { stdout, code } = await node.exec(['busybox', 'ping', '-c', '1', '-W', '2', address]);
        return code === 0 ? `${address} answers a ping` : refuse(`${address} does not answer: ${stdout.trim()}`);
      },
    }));
}

async function proveGreedyPodWaits(cluster: Cluster): Promise<string> {
  const manifest = {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'greedy', namespace },
    spec: {
      terminationGracePeriodSeconds: 0,
      containers: [
        {
          name: 'greedy',
          image: 'docker.io/library/busybox:1.37',
          resources: { limits: { 'berth.dev/fuse': '1000' } },
        },
      ],
    },
  };
  await kubectl(cluster, ['apply', '-f', '-'], { stdin: JSON.stringify(manifest) });
  try {
    const signal = AbortSignal.timeout(30_000);
    for (;;) {
      const events = await eventsOf(cluster, 'Pod', namespace, 'greedy');
      const reason = events.find((event) => event.reason === 'FailedScheduling');
      const { status } = await findPod(cluster, 'greedy');
      if (status.phase !== 'Pending') refuse(`the greedy pod is ${status.phase}`);
      if (reason?.message.includes('Insufficient berth.dev/fuse') === true) return reason.message.split('. ')[0] ?? '';
      if (signal.aborted) refuse('the scheduler gave no reason in 30 s');
      // kubectl cannot wait for an event.
      await sleep(200);
    }
  } finally {
    await kubectl(cluster, ['delete', 'pod', 'greedy', '-n', namespace]);
  }
}

async function findPod(cluster: Cluster, name: string): Promise<Pod> {
  const pods = await listPods(cluster, namespace);
  const alive = pods.filter(
    ({ metadata, status }) => metadata.deletionTimestamp === undefined && status.phase !== 'Failed',
  );
  const found = alive.find(({ metadata }) => metadata.name === name || metadata.labels?.['app'] === name);
  return found ?? refuse(`there is no pod ${name} in ${namespace}`);
}

async function addressOf(cluster: Cluster, name: string): Promise<string> {
  const pod = await findPod(cluster, name);
  return isSettled(pod) && pod.status.podIP !== undefined ? pod.status.podIP : refuse(`pod ${name} is not ready`);
}

/** Fetches from the node's network with this Node.js: what a node has for that differs, and need not be there at all. */
async function fetchFromNode(node: Cluster['nodes'][number], url: string): Promise<string> {
  const script = `fetch(${JSON.stringify(url)}, { signal: AbortSignal.timeout(5000) }).then((r) => r.text()).then(console.log)`;
  const network = ['--target', String(node.pid), '--net'];
  const { stdout, stderr, code } = await run('nsenter', [...network, process.execPath, '--eval', script]);
  return code === 0 ? stdout.trim() : refuse(`${node.name} gets nothing from ${url}: ${stderr.trim()}`);
}

function firstLine(text: string): string {
  return text.split('\n')[0] ?? '';
}

function refuse(seen: string): never {
  throw new BerthError('FAILED_PRECONDITION', seen);
}
