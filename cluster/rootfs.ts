/** The folder that is a node's `/`: what survives a restart lies in it, the rest is mounted by `nodesetup.sh`. */
import { chmodSync, cpSync, existsSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { nodeAddresses, nodeName } from './addresses.ts';
import type { NodePlace } from './addresses.ts';

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

/** Makes the root folder of the node with this index. */
export function createRootFolder(root: string, index: number): void {
  for (const folder of folders) mkdirSync(join(root, folder), { recursive: true });
  for (const folder of ['tmp', 'var/tmp']) chmodSync(join(root, folder), 0o1777);
  chmodSync(join(root, 'var/lib/etcd'), 0o700);
  symlinkSync('/run', join(root, 'var/run'));
  symlinkSync('/run/lock', join(root, 'var/lock'));
  for (const name of copiedFromMachine) {
    const source = join('/etc', name);
    if (existsSync(source)) cpSync(source, join(root, 'etc', name), { recursive: true, verbatimSymlinks: true });
  }
  const etc = (name: string, content: string): void => {
    writeFileSync(join(root, 'etc', name), content);
  };
  etc('hostname', `${nodeName(index)}\n`);
  etc('machine-id', `${crypto.randomUUID().replaceAll('-', '')}\n`);
  etc('resolv.conf', '# A node has no name server: nothing leaves this machine.\n');
}

/** Lets a node find those in these places by name. */
export function writeHosts(root: string, places: readonly NodePlace[]): void {
  const hosts = places.map(({ index, link }) => {
    const { v4, v6 } = nodeAddresses(index, link);
    return `${v4} ${nodeName(index)}\n${v6} ${nodeName(index)}\n`;
  });
  writeFileSync(join(root, 'etc/hosts'), `127.0.0.1 localhost\n::1 localhost ip6-localhost\n${hosts.join('')}`);
}
