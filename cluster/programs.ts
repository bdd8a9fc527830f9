/** What is built from Go: each program's module, package and linker flags. No building here. */
import { join } from 'node:path';

const kubernetesVersion = 'v1.36.3';

/** Programs that are one and the same binary under different names. */
export const kubernetesNames = [
  'kubelet',
  'kube-apiserver',
  'kube-controller-manager',
  'kube-scheduler',
  'kube-proxy',
  'kubectl',
  'etcd',
] as const;

export interface Program {
  /** Folder under `cluster/` with the go.mod that pins it. */
  readonly module: 'kubernetes' | 'tools' | 'provisioner' | 'sanity' | 'coredns' | 'helm' | 'csicaller';
  /** Go package path, or a path relative to the module's folder. */
  readonly goPackage: string;
  readonly ldflags: string;
}

const strip = '-s -w';
const versionPackage = 'k8s.io/component-base/version';
const [major, minor] = kubernetesVersion.slice(1).split('.');
const versioned = `${strip} -X ${versionPackage}.gitVersion=${kubernetesVersion} -X ${versionPackage}.gitMajor=${major ?? ''} -X ${versionPackage}.gitMinor=${minor ?? ''}`;

const tool = (goPackage: string, ldflags = strip): Program => ({ module: 'tools', goPackage, ldflags });

/** Every program by the name of its file. Those of one module share one `go build` and its flags. */
export const programs = {
  kubernetes: { module: 'kubernetes', goPackage: '.', ldflags: versioned },
  containerd: tool('github.com/containerd/containerd/v2/cmd/containerd'),
  'containerd-shim-runc-v2': tool('github.com/containerd/containerd/v2/cmd/containerd-shim-runc-v2'),
  ctr: tool('github.com/containerd/containerd/v2/cmd/ctr'),
  pause: tool('./pause'),
  // A module of its own: it does not compile with the Kubernetes client that the other sidecars ask for.
  'csi-provisioner': {
    module: 'provisioner',
    goPackage: 'github.com/kubernetes-csi/external-provisioner/v6/cmd/csi-provisioner',
    ldflags: strip,
  },
  'csi-resizer': tool('github.com/kubernetes-csi/external-resizer/v2/cmd/csi-resizer'),
  'csi-snapshotter': tool('github.com/kubernetes-csi/external-snapshotter/v8/cmd/csi-snapshotter'),
  'snapshot-controller': tool('github.com/kubernetes-csi/external-snapshotter/v8/cmd/snapshot-controller'),
  // A module of its own, because the driver is judged by v5.5.0 and the sidecars ask for a later one.
  'csi-sanity': { module: 'sanity', goPackage: 'github.com/kubernetes-csi/csi-test/v5/cmd/csi-sanity', ldflags: strip },
  cnitool: tool('github.com/containernetworking/cni/cnitool'),
  coredns: { module: 'coredns', goPackage: '.', ldflags: strip },
  // What the benchmark of volumes is called by.
  csicaller: { module: 'csicaller', goPackage: '.', ldflags: strip },
  // What renders daemonset/chart.
  helm: { module: 'helm', goPackage: 'helm.sh/helm/v4/cmd/helm', ldflags: strip },
} as const satisfies Record<string, Program>;

export type ProgramName = keyof typeof programs;

/** What every node needs. */
export const nodePrograms: readonly ProgramName[] = [
  'kubernetes',
  'containerd',
  'containerd-shim-runc-v2',
  'ctr',
  'pause',
];

/** The folder of a program's module. */
export function moduleFolder(name: ProgramName): string {
  return join(import.meta.dirname, programs[name].module);
}
