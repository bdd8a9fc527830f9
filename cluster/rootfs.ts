/** The folder that is a node's `/`: what survives a restart lies in it, the rest is mounted by `nodesetup.sh`. */
import { chmodSync, cpSync, existsSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { nodeAddresses, nodeName } from './addresses.ts';
import type { Link } from './addresses.ts';

const folders = [
  ...['dev', 'etc', 'home', 'mnt', 'opt/cluster/bin', 'opt/cni/bin', 'proc', 'root', 'run', 'srv', 'sys', 'tmp', 'usr'],
  ...['etc/cdi', 'etc/cni/net.d', 'etc/containerd', 'etc/kubernetes/pki', 'etc/kubernetes/manifests'],
  ...['var/lib/containerd', 'var/lib/kubelet', 'var/lib/etcd', 'var/log/containers', 'var/log/pods', 'var/tmp'],
];

/** What programs of the machine read from /etc. */
const copiedFromMachine = [
  ...[
    'alternatives',
    'group',
    'ld.so.cache',
    'ld.so.conf',
    'ld.so.conf.d',
    'localtime',
    'mke2fs.conf',
    'nsswitch.conf',
  ],
  ...['os-release', 'passwd', 'protocols', 'services', 'ssl'],
];

/** Makes the root folder of the node with this index; the nodes, on their links, find each other by name. */
export function createRootFolder(root: string, index: number, links: readonly Link[]): void {
  for (const folder of folders) mkdirSync(join(root, folder), { recursive: true });
  for (const folder of ['tmp', 'var/tmp']) chmodSync(join(root, folder), 0o1777);
  chmodSync(join(root, 'var/lib/etcd'), 0o700);
  symlinkSync('/run', join(root, 'var/run'));
  symlinkSync('/run/lock', join(root, 'var/lock'));
  for (const name of copiedFromMachine) {
    const source = join('/etc', name);
    if (existsSync(source)) cpSync(source, join(root, 'etc', name), { recursive: true, verbatimSymlinks: true });
  }
  const hosts = links.map((link, other) => {
    const addresses = nodeAddresses(other, link);
    return `${addresses.v4} ${nodeName(other)}\n${addresses.v6} ${nodeName(other)}\n`;
  });
  const etc = (name: string, content: string): void => {
    writeFileSync(join(root, 'etc', name), content);
  };
  etc('hosts', `127.0.0.1 localhost\n::1 localhost ip6-localhost\n${hosts.join('')}`);
  etc('hostname', `${nodeName(index)}\n`);
  etc('machine-id', `${crypto.randomUUID().replaceAll('-', '')}\n`);
  etc('resolv.conf', '# A node has no name server: nothing leaves this machine.\n');
}
