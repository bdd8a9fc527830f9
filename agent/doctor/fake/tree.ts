/** A node as a folder of files, sockets and an API server, on which the doctor can be tried: sound, and then broken in one place. */
import { chmod, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer as createHttpServer } from 'node:http';
import { createServer } from 'node:net';
import type { AddressInfo, Server } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { conflistText } from '../../../cni/install.ts';
import { loadNodeConfig } from '../../nodeconfig.ts';
import { version } from '../../version.ts';
import { runDoctor } from '../doctor.ts';
import type { Finding } from '../finding.ts';
import { rootsBelow } from '../roots.ts';

export interface RecordedNode {
  /** The sections of its NodeConfig (YAML). */
  readonly config: string;
  /** Texts by path; a path with a slash at its end is a folder. */
  readonly files: Readonly<Record<string, string>>;
  /** Paths on which somebody listens. */
  readonly sockets: readonly string[];
  /** What the agent answers, by view; undefined: none runs. */
  readonly agent: Readonly<Record<string, readonly object[]>> | undefined;
  /** What the API server answers to `METHOD path`, with status and body; anything else is 404. */
  readonly api: Readonly<Record<string, readonly [status: number, body: object]>>;
  /** Whether the API server takes requests and answers none. */
  readonly silent?: true;
  /** Seconds by which the API server's clock is ahead. */
  readonly clock?: number;
  /** Files that are not executable, of those named `berth`. */
  readonly notExecutable?: true;
}

const kernel = ['NF_TABLES', 'NFT_MASQ', 'VETH', 'BLK_DEV_LOOP', 'XFS_FS', 'EXT4_FS'];

const section = 'network: {podCIDR: 10.244.1.0/24}\ndevices: {rulesDir: /etc/berth-devices}\nstorage: {}\n';

function configOf(
  sections: string,
  folder: string,
): Extract<ReturnType<typeof loadNodeConfig>, { config: unknown }>['config'] {
  const head = `apiVersion: berth.dev/v1alpha1\nkind: NodeConfig\nagent: {kubeconfig: ${folder}/kubeconfig}\n`;
  const loaded = loadNodeConfig(head + sections, 'node-1');
  if ('config' in loaded) return loaded.config;
  throw new Error(JSON.stringify(loaded.problems));
}

const review = (status: object): readonly [number, object] => [201, { status }];
const serving = (name: string): object => ({ name, version });

/** A node on which every probe passes, but for those of pools, which judge the filesystem that the test runs on. */
export const soundNode: RecordedNode = {
  config: section,
  files: {
    'proc/sys/kernel/osrelease': '6.12.48+deb13-amd64\n',
    'proc/filesystems': 'nodev\ttmpfs\n\text4\n',
    'proc/self/limits': 'Max open files            1048576              1048576              files     \n',
    'proc/self/cgroup': '0::/kubepods/pod1\n',
    'proc/self/mountinfo':
      '20 1 8:1 / / rw - ext4 /dev/sda1 rw\n21 20 8:1 /var/lib/kubelet /var/lib/kubelet rw shared:7 - ext4 /dev/sda1 rw\n',
    'proc/sys/fs/inotify/max_user_instances': '1024\n',
    'proc/sys/fs/inotify/max_user_watches': '524288\n',
    'proc/sys/net/ipv4/ip_forward': '1\n',
    'proc/net/route':
      'Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\neth0\t00000000\t010200C0\t0003\t0\t0\t0\t00000000\t0\t0\t0\neth0\t000200C0\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0\nvethx\t0701F40A\t00000000\t0005\t0\t0\t0\tFFFFFFFF\t0\t0\t0\n',
    'sys/class/net/eth0/ifalias': '\n',
    'sys/class/net/vethx/ifalias': 'berth:abc/eth0\n',
    'sys/module/vxlan/': '',
    'sys/fs/cgroup/kubepods/pod1/memory.max': '536870912\n',
    'sys/fs/cgroup/kubepods/pod1/memory.current': '104857600\n',
    'sys/fs/cgroup/kubepods/pod1/memory.events': 'low 0\noom_kill 0\n',
    'boot/config-6.12.48+deb13-amd64': kernel.map((each) => `CONFIG_${each}=m\n`).join(''),
    'lib/modules/6.12.48+deb13-amd64/modules.dep':
      'kernel/net/netfilter/nf_tables.ko.xz: x\nkernel/net/netfilter/nft_masq.ko.xz: x\nkernel/drivers/net/veth.ko.xz:\nkernel/drivers/block/loop.ko.xz:\nkernel/fs/xfs/xfs.ko.xz:\n',
    'lib/modules/6.12.48+deb13-amd64/modules.builtin': 'kernel/fs/ext4/ext4.ko\n',
    'var/lib/kubelet/device-plugins/': '',
    'var/lib/kubelet/plugins_registry/': '',
    'opt/cni/bin/berth': 'the executable',
    'dist/berth': 'the executable',
    'etc/cni/net.d/05-berth.conflist': conflistText(configOf(section, '/').network ?? neverNetwork()),
    'etc/containerd/config.toml':
      '[plugins."io.containerd.cri.v1.runtime".cni]\n  bin_dirs = ["/opt/cni/bin"]\n  conf_dir = "/etc/cni/net.d"\n',
    'var/run/cdi/': '',
    'etc/fstab': '/dev/sda1 / ext4 defaults 0 1\n',
    'var/lib/berth/pools/default/': '',
  },
  sockets: [
    'var/lib/kubelet/device-plugins/kubelet.sock',
    'var/lib/kubelet/pod-resources/kubelet.sock',
    'var/lib/kubelet/plugins_registry/csi.berth.dev-reg.sock',
    'var/lib/kubelet/plugins/csi.berth.dev/csi.sock',
  ],
  agent: {
    services: ['network', 'devices', 'storage'].map(serving),
    pools: [],
    configuration: [{ file: '/etc/berth/config.yaml', problems: [], pending: [], daemonSet: 'berth', text: '' }],
  },
  api: {
    'GET /version': [200, { gitVersion: 'v1.36.1' }],
    'GET /apis/berth.dev/v1alpha1': [200, { resources: [{ name: 'berthnodes' }, { name: 'berthnodes/status' }] }],
    'GET /api/v1/nodes/node-1': [
      200,
      {
        spec: { podCIDRs: ['10.244.1.0/24'] },
        status: { nodeInfo: { containerRuntimeVersion: 'containerd://2.3.3' } },
      },
    ],
    'POST /apis/authentication.k8s.io/v1/selfsubjectreviews': review({
      userInfo: { username: 'system:serviceaccount:berth-system:berth' },
    }),
    'POST /apis/authorization.k8s.io/v1/selfsubjectaccessreviews': review({ allowed: true }),
    'PATCH /api/v1/nodes/node-1/status?dryRun=All': [
      422,
      { message: "ValidatingAdmissionPolicy 'berth-nodes' with binding 'berth-nodes' denied request" },
    ],
  },
};

function neverNetwork(): never {
  throw new Error('the sound node has a network');
}

/** Makes the node, has the doctor look at it, and removes it. */
export async function findingsOn(node: RecordedNode): Promise<readonly Finding[]> {
  const folder = await mkdtemp(join(tmpdir(), 'berth-doctor-'));
  const servers: Server[] = [];
  try {
    for (const [path, text] of Object.entries(node.files)) {
      const at = join(folder, path);
      await mkdir(path.endsWith('/') ? at : dirname(at), { recursive: true });
      if (!path.endsWith('/')) await writeFile(at, text);
      if (path.endsWith('/berth') && node.notExecutable === undefined) await chmod(at, 0o755);
    }
    for (const path of node.sockets) {
      await mkdir(dirname(join(folder, path)), { recursive: true });
      const server = createServer();
      servers.push(server);
      await new Promise<void>((resolve) => server.listen(join(folder, path), resolve));
    }
    const api = createHttpServer((request, response) => {
      if (node.silent) return;
      const [status, body] = node.api[`${request.method ?? ''} ${request.url ?? ''}`] ?? [
        404,
        { message: 'not found' },
      ];
      const date = new Date(Date.now() + (node.clock ?? 0) * 1_000).toUTCString();
      response.writeHead(status, { 'content-type': 'application/json', date });
      response.end(JSON.stringify(body));
    });
    servers.push(api);
    await new Promise<void>((resolve) => api.listen(0, '127.0.0.1', resolve));
    await writeFile(join(folder, 'kubeconfig'), kubeconfigText((api.address() as AddressInfo).port));
    const { agent } = node;
    if (agent !== undefined) {
      const socket = join(folder, 'run/berth/agent.sock');
      await mkdir(dirname(socket), { recursive: true });
      const server = createHttpServer((request, response) => {
        const items = agent[(request.url ?? '').replace('/v1/', '')];
        response.writeHead(items === undefined ? 404 : 200);
        response.end(JSON.stringify(items === undefined ? { error: 'no such view', absent: true } : { items }));
      });
      servers.push(server);
      await new Promise<void>((resolve) => server.listen(socket, resolve));
    }
    return await runDoctor(configOf(node.config, folder), {
      signal: new AbortController().signal,
      env: { NODE_NAME: 'node-1' },
      roots: rootsBelow(folder),
      shimPath: join(folder, 'dist/berth'),
      thorough: true,
    });
  } finally {
    await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
    await rm(folder, { recursive: true });
  }
}

function kubeconfigText(port: number): string {
  return JSON.stringify({
    'current-context': 'x',
    contexts: [{ name: 'x', context: { cluster: 'x', user: 'x' } }],
    clusters: [{ name: 'x', cluster: { server: `http://127.0.0.1:${port}` } }],
    users: [{ name: 'x', user: {} }],
  });
}
