/** Every certificate of a cluster, as kubeadm lays them out, and which of them a node gets. */
import { copyFileSync } from 'node:fs';
import { join } from 'node:path';
import { apiServiceAddresses, nodeAddresses, nodeName } from './addresses.ts';
import type { NodePlace } from './addresses.ts';
import { createAuthority, createSigningKey, issueCertificate } from './certificates.ts';

const serviceNames = [
  'kubernetes',
  'kubernetes.default',
  'kubernetes.default.svc',
  'kubernetes.default.svc.cluster.local',
];

/** Name of the authority's files in the folder. */
const authority = 'ca';

/** Fills the folder for a cluster of nodes in these places. */
export async function createPki(folder: string, places: readonly NodePlace[]): Promise<void> {
  const [ca, frontProxy] = await Promise.all([
    createAuthority(folder, authority),
    createAuthority(folder, 'front-proxy-ca'),
    createSigningKey(folder, 'service-accounts'),
  ]);
  const control = nodeAddresses(0);
  const addresses = ['127.0.0.1', '::1', control.v4, control.v6, ...apiServiceAddresses];
  const names = ['localhost', nodeName(0), ...serviceNames].map((name) => `DNS:${name}`);
  const masters = 'system:masters';
  await Promise.all([
    issueCertificate(ca, {
      name: 'apiserver',
      commonName: 'kube-apiserver',
      names: [...names, ...addresses.map((address) => `IP:${address}`)],
    }),
    issueCertificate(ca, {
      name: 'apiserver-kubelet-client',
      commonName: 'kube-apiserver-kubelet-client',
      organization: masters,
    }),
    issueCertificate(ca, { name: 'admin', commonName: 'kubernetes-admin', organization: masters }),
    issueCertificate(ca, { name: 'controller-manager', commonName: 'system:kube-controller-manager' }),
    issueCertificate(ca, { name: 'scheduler', commonName: 'system:kube-scheduler' }),
    issueCertificate(ca, { name: 'kube-proxy', commonName: 'system:kube-proxy' }),
    issueCertificate(frontProxy, { name: 'front-proxy-client', commonName: 'front-proxy-client' }),
    ...places.map((place) => certifyNode(folder, place)),
  ]);
}

/** Adds the certificate of one node to the folder. */
export async function certifyNode(folder: string, { index, link }: NodePlace): Promise<void> {
  const node = nodeName(index);
  const { v4, v6 } = nodeAddresses(index, link);
  await issueCertificate(
    { folder, name: authority },
    {
      name: node,
      commonName: `system:node:${node}`,
      organization: 'system:nodes',
      names: [`DNS:${node}`, `IP:${v4}`, `IP:${v6}`],
    },
  );
}

const controlPlaneFiles = [
  ...['ca.key', 'apiserver.crt', 'apiserver.key', 'apiserver-kubelet-client.crt', 'apiserver-kubelet-client.key'],
  ...['front-proxy-ca.crt', 'front-proxy-client.crt', 'front-proxy-client.key'],
  ...['service-accounts.key', 'service-accounts.pub'],
];

/** Puts the files a node needs into its /etc/kubernetes/pki (`target`). */
export function installPki(folder: string, target: string, index: number): void {
  const copy = (from: string, to: string): void => {
    copyFileSync(join(folder, from), join(target, to));
  };
  copy('ca.crt', 'ca.crt');
  copy(`${nodeName(index)}.crt`, 'kubelet-server.crt');
  copy(`${nodeName(index)}.key`, 'kubelet-server.key');
  if (index === 0) for (const file of controlPlaneFiles) copy(file, file);
}
