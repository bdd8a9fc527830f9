/** etcd, API server, controller manager and scheduler: how they are started on the first node. */
import { apiPort, podRanges, serviceRanges } from './addresses.ts';
import type { NodeAddresses } from './addresses.ts';
import type { ComponentCommand } from './component.ts';
import { nodeEnvironment } from './environment.ts';

const pki = '/etc/kubernetes/pki';
/** Where the first node has the policy, and what it led to: one line of JSON (audit.k8s.io/v1 Event) per request. */
const auditPolicyFile = '/etc/kubernetes/audit-policy.json';
export const auditLog = '/var/log/kubernetes/audit.log';
const etcdUrl = 'http://127.0.0.1:2379';

/** The control plane's components in the order of their start. */
export function controlPlaneCommands(addresses: NodeAddresses): ComponentCommand[] {
  return [
    component('etcd', {
      'data-dir': '/var/lib/etcd',
      'listen-client-urls': etcdUrl,
      'advertise-client-urls': etcdUrl,
      // Peers there are none, but the port must be somewhere.
      'listen-peer-urls': 'http://127.0.0.1:2380',
      'initial-advertise-peer-urls': 'http://127.0.0.1:2380',
      'initial-cluster': 'default=http://127.0.0.1:2380',
      // A cluster for a test need not survive a power loss of the machine.
      'unsafe-no-fsync': true,
    }),
    component('kube-apiserver', {
      'advertise-address': addresses.v4,
      'secure-port': apiPort,
      'etcd-servers': etcdUrl,
      'allow-privileged': true,
      'authorization-mode': 'Node,RBAC',
      'enable-admission-plugins': 'NodeRestriction',
      'service-cluster-ip-range': serviceRanges.join(','),
      'client-ca-file': `${pki}/ca.crt`,
      'tls-cert-file': `${pki}/apiserver.crt`,
      'tls-private-key-file': `${pki}/apiserver.key`,
      'kubelet-certificate-authority': `${pki}/ca.crt`,
      'kubelet-client-certificate': `${pki}/apiserver-kubelet-client.crt`,
      'kubelet-client-key': `${pki}/apiserver-kubelet-client.key`,
      // Node names are in no DNS.
      'kubelet-preferred-address-types': 'InternalIP',
      'requestheader-client-ca-file': `${pki}/front-proxy-ca.crt`,
      'requestheader-allowed-names': 'front-proxy-client',
      'requestheader-extra-headers-prefix': 'X-Remote-Extra-',
      'requestheader-group-headers': 'X-Remote-Group',
      'requestheader-username-headers': 'X-Remote-User',
      'proxy-client-cert-file': `${pki}/front-proxy-client.crt`,
      'proxy-client-key-file': `${pki}/front-proxy-client.key`,
      'audit-policy-file': auditPolicyFile,
      'audit-log-path': auditLog,
      // No rotation: whoever reads it wants all of it.
      'audit-log-maxsize': 0,
      'service-account-issuer': 'https://kubernetes.default.svc.cluster.local',
      'service-account-key-file': `${pki}/service-accounts.pub`,
      'service-account-signing-key-file': `${pki}/service-accounts.key`,
    }),
    component('kube-controller-manager', {
      kubeconfig: '/etc/kubernetes/controller-manager.conf',
      'leader-elect': false,
      'use-service-account-credentials': true,
      // At the default rate of 20 it takes seconds to fetch its controllers' tokens before it gives a node its pod range.
      'kube-api-qps': 500,
      'kube-api-burst': 1000,
      'root-ca-file': `${pki}/ca.crt`,
      'service-account-private-key-file': `${pki}/service-accounts.key`,
      'cluster-signing-cert-file': `${pki}/ca.crt`,
      'cluster-signing-key-file': `${pki}/ca.key`,
      'allocate-node-cidrs': true,
      'cluster-cidr': podRanges.join(','),
      'service-cluster-ip-range': serviceRanges.join(','),
      'node-cidr-mask-size-ipv4': 24,
      'node-cidr-mask-size-ipv6': 64,
      // The default lies under /usr, which belongs to the machine.
      'flex-volume-plugin-dir': '/var/lib/kubelet/volumeplugins',
      // Loopback only: metrics of a cluster on one's own machine need no port in its network.
      'bind-address': '127.0.0.1',
    }),
    component('kube-scheduler', {
      kubeconfig: '/etc/kubernetes/scheduler.conf',
      'leader-elect': false,
      'bind-address': '127.0.0.1',
    }),
  ];
}

/** Who of the workloads asked for what, and when anybody changed rights; without contents. Kubernetes' own accounts are left out. */
export function formatAuditPolicy(): string {
  return JSON.stringify({
    apiVersion: 'audit.k8s.io/v1',
    kind: 'Policy',
    omitStages: ['RequestReceived'],
    rules: [
      { level: 'None', userGroups: ['system:serviceaccounts:kube-system'] },
      { level: 'Metadata', userGroups: ['system:serviceaccounts'] },
      {
        level: 'Metadata',
        verbs: ['create', 'update', 'patch', 'delete'],
        resources: [{ group: 'rbac.authorization.k8s.io' }],
      },
      // With these the API server learns after its start what it is to allow: until then it refuses everything.
      {
        level: 'Metadata',
        users: ['system:apiserver'],
        verbs: ['list', 'watch'],
        resources: [{ group: 'rbac.authorization.k8s.io', resources: ['clusterrolebindings'] }],
      },
      { level: 'None' },
    ],
  });
}

function component(name: string, flags: Readonly<Record<string, string | number | boolean>>): ComponentCommand {
  const args = Object.entries(flags).map(([flag, value]) => `--${flag}=${value}`);
  return { name, args: [`/opt/cluster/bin/${name}`, ...args], env: nodeEnvironment };
}
