/** Where distributions of Kubernetes put what is elsewhere by default: a guess at what the NodeConfig should name. */
import { onHost } from '../context.ts';
import type { DoctorContext } from '../context.ts';
import { isFolder } from '../reading.ts';

export interface Place {
  readonly distribution: string;
  readonly path: string;
}

export const kubeletRoots: readonly Place[] = [
  { distribution: 'kubeadm, k3s or RKE2', path: '/var/lib/kubelet' },
  { distribution: 'k0s', path: '/var/lib/k0s/kubelet' },
  { distribution: 'MicroK8s', path: '/var/snap/microk8s/common/var/lib/kubelet' },
];

export const cniConfDirs: readonly Place[] = [
  { distribution: 'containerd, CRI-O, RKE2 or k0s', path: '/etc/cni/net.d' },
  { distribution: 'k3s', path: '/var/lib/rancher/k3s/agent/etc/cni/net.d' },
  { distribution: 'MicroK8s', path: '/var/snap/microk8s/current/args/cni-network' },
];

export const cniBinDirs: readonly Place[] = [
  { distribution: 'containerd, CRI-O, RKE2 or k0s', path: '/opt/cni/bin' },
  { distribution: 'k3s', path: '/var/lib/rancher/k3s/data/cni' },
  { distribution: 'k3s', path: '/var/lib/rancher/k3s/data/current/bin' },
  { distribution: 'MicroK8s', path: '/var/snap/microk8s/current/opt/cni/bin' },
];

/** Those that are folders here, without the configured one. */
export async function presentPlaces(
  context: DoctorContext,
  places: readonly Place[],
  configured: string,
): Promise<readonly Place[]> {
  const present: Place[] = [];
  for (const place of places) {
    if (place.path === configured) continue;
    if ((await isFolder(onHost(context, place.path)).catch(() => false)) === true) present.push(place);
  }
  return present;
}

/** What to set: `set kubelet.rootDir: /var/lib/k0s/kubelet (k0s)`. */
export function setKey(key: string, places: readonly Place[]): string | undefined {
  const [place] = places;
  return (
    place &&
    `set ${key}: ${place.path} in the NodeConfig, which ${place.distribution} uses, and the same path in the DaemonSet`
  );
}
