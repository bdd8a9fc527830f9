/** kubelet and kube-proxy of one node: their configurations and how they are started. */
import { dnsServiceAddress, podRanges } from './addresses.ts';
import type { NodeAddresses } from './addresses.ts';
import type { ComponentCommand } from './component.ts';
import { containerdSocket } from './containerd.ts';
import { nodeEnvironment } from './environment.ts';

export function kubeletCommand(name: string, addresses: NodeAddresses): ComponentCommand {
  return {
    name: 'kubelet',
    args: [
      '/opt/cluster/bin/kubelet',
      '--config=/etc/kubernetes/kubelet.yaml',
      '--kubeconfig=/etc/kubernetes/kubelet.conf',
      `--hostname-override=${name}`,
      `--node-ip=${addresses.v4},${addresses.v6}`,
    ],
    env: nodeEnvironment,
  };
}

/** The content of /etc/kubernetes/kubelet.yaml. `cgroupRoot` begins with a slash. */
export function formatKubeletConfig(cgroupRoot: string): string {
  const pki = '/etc/kubernetes/pki';
  const config = {
    apiVersion: 'kubelet.config.k8s.io/v1beta1',
    kind: 'KubeletConfiguration',
    authentication: {
      anonymous: { enabled: false },
      webhook: { enabled: true },
      x509: { clientCAFile: `${pki}/ca.crt` },
    },
    authorization: { mode: 'Webhook' },
    tlsCertFile: `${pki}/kubelet-server.crt`,
    tlsPrivateKeyFile: `${pki}/kubelet-server.key`,
    containerRuntimeEndpoint: `unix://${containerdSocket}`,
    clusterDomain: 'cluster.local',
    clusterDNS: [dnsServiceAddress],
    cgroupDriver: 'cgroupfs',
    cgroupRoot,
    enforceNodeAllocatable: [],
    failCgroupV1: false,
    failSwapOn: false,
    // Lets kubelet go on where it may not change the machine (kernel settings, OOM scores).
    featureGates: { KubeletInUserNamespace: true },
    // The scheduler sees new devices sooner than with 10 s.
    nodeStatusUpdateFrequency: '2s',
    // No eviction and no image collection: how full the machine's disk is says nothing about this node.
    imageGCHighThresholdPercent: 100,
    imageGCLowThresholdPercent: 99,
    evictionHard: { 'nodefs.available': '0%', 'nodefs.inodesFree': '0%', 'imagefs.available': '0%' },
    // These chains are for iptables users; nothing here is one.
    makeIPTablesUtilChains: false,
    serializeImagePulls: false,
    // Nearly as many as a node has addresses for, so that waves of a hundred may overlap.
    maxPods: 220,
    // What a test kills shall be back soon, also the tenth time; the default is up to five minutes.
    crashLoopBackOff: { maxContainerRestartPeriod: '1s' },
    staticPodPath: '/etc/kubernetes/manifests',
    // The default lies under /usr, which belongs to the machine.
    volumePluginDir: '/var/lib/kubelet/volumeplugins',
  };
  return `${JSON.stringify(config, undefined, 2)}\n`;
}

export function kubeProxyCommand(name: string): ComponentCommand {
  return {
    name: 'kube-proxy',
    args: ['/opt/cluster/bin/kube-proxy', '--config=/etc/kubernetes/kube-proxy.yaml', `--hostname-override=${name}`],
    env: nodeEnvironment,
  };
}

/** The content of /etc/kubernetes/kube-proxy.yaml. */
export function formatKubeProxyConfig(): string {
  const config = {
    apiVersion: 'kubeproxy.config.k8s.io/v1alpha1',
    kind: 'KubeProxyConfiguration',
    clientConnection: { kubeconfig: '/etc/kubernetes/kube-proxy.conf' },
    mode: 'nftables',
    clusterCIDR: podRanges.join(','),
    // Zeros leave the machine-wide connection tracking settings alone.
    conntrack: { maxPerCore: 0, min: 0, tcpEstablishedTimeout: '0s', tcpCloseWaitTimeout: '0s' },
    // A Service is programmed at once and not up to a second later.
    nftables: { minSyncPeriod: '0s', syncPeriod: '30s' },
  };
  return `${JSON.stringify(config, undefined, 2)}\n`;
}
