/** containerd of one node: its configuration and its start. */
import type { ComponentCommand } from './component.ts';
import { nodeEnvironment } from './environment.ts';

/** containerd's default. */
export const containerdSocket = '/run/containerd/containerd.sock';
export const pauseImage = 'registry.k8s.io/pause:3.10';

export function containerdCommand(): ComponentCommand {
  return {
    name: 'containerd',
    args: ['/opt/cluster/bin/containerd', '--config', '/etc/containerd/config.toml'],
    env: nodeEnvironment,
  };
}

/** The content of /etc/containerd/config.toml. No CNI plugin is configured: that is the business of who deploys one. */
export function formatContainerdConfig(): string {
  return `version = 3
root = "/var/lib/containerd"
state = "/run/containerd"

[plugins."io.containerd.cri.v1.images"]
snapshotter = "overlayfs"

[plugins."io.containerd.cri.v1.images".pinned_images]
sandbox = "${pauseImage}"

[plugins."io.containerd.cri.v1.runtime"]
# A machine without CAP_SYS_RESOURCE refuses lower scores.
restrict_oom_score_adj = true

[plugins."io.containerd.cri.v1.runtime".cni]
bin_dirs = ["/opt/cni/bin"]
conf_dir = "/etc/cni/net.d"
# Every sandbox needs its loopback up; this way no plugin binary is needed for it.
use_internal_loopback = true

[plugins."io.containerd.cri.v1.runtime".containerd.runtimes.runc]
runtime_type = "io.containerd.runc.v2"

[plugins."io.containerd.cri.v1.runtime".containerd.runtimes.runc.options]
SystemdCgroup = false
`;
}
