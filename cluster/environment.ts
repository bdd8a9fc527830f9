/** The environment of every program on a node: nothing of the caller's comes in. */

export const nodeEnvironment: Readonly<Record<string, string>> = {
  PATH: '/opt/cluster/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
  HOME: '/root',
  LANG: 'C.UTF-8',
  CONTAINERD_ADDRESS: '/run/containerd/containerd.sock',
  CONTAINERD_NAMESPACE: 'k8s.io',
};
