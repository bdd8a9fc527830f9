/** CoreDNS as a cluster's name server: what is applied for it. */
import { dnsServiceAddress } from './addresses.ts';
import { imageReference } from './namedimages.ts';

const corefile = `.:53 {
    errors
    health
    ready
    kubernetes cluster.local in-addr.arpa ip6.arpa {
        pods insecure
        fallthrough in-addr.arpa ip6.arpa
    }
    cache 30
    loadbalance
}
`;

/** The manifest, as a JSON list. Names outside the cluster are refused at once: nothing leaves the machine. */
export function dnsManifest(): string {
  const metadata = { name: 'coredns', namespace: 'kube-system', labels: { 'k8s-app': 'kube-dns' } };
  const role = 'rbac.authorization.k8s.io';
  const read = (apiGroups: string[], resources: string[]): object => ({
    apiGroups,
    resources,
    verbs: ['list', 'watch'],
  });
  const probe = (path: string, port: number): object => ({ httpGet: { path, port }, periodSeconds: 2 });
  const port = (name: string, protocol: string): object => ({ name, protocol, port: 53, targetPort: 53 });
  const container = {
    name: 'coredns',
    image: imageReference('coredns'),
    imagePullPolicy: 'IfNotPresent',
    args: ['-conf', '/etc/coredns/Corefile'],
    ports: [
      { name: 'dns', containerPort: 53, protocol: 'UDP' },
      { name: 'dns-tcp', containerPort: 53, protocol: 'TCP' },
    ],
    readinessProbe: probe('/ready', 8181),
    livenessProbe: probe('/health', 8080),
    volumeMounts: [{ name: 'config', mountPath: '/etc/coredns', readOnly: true }],
  };
  const pod = {
    serviceAccountName: 'coredns',
    dnsPolicy: 'Default',
    priorityClassName: 'system-cluster-critical',
    containers: [container],
    volumes: [{ name: 'config', configMap: { name: 'coredns' } }],
  };
  const items = [
    { apiVersion: 'v1', kind: 'ServiceAccount', metadata },
    {
      apiVersion: `${role}/v1`,
      kind: 'ClusterRole',
      metadata: { name: 'system:coredns' },
      rules: [
        read([''], ['services', 'pods', 'namespaces', 'endpoints']),
        read(['discovery.k8s.io'], ['endpointslices']),
      ],
    },
    {
      apiVersion: `${role}/v1`,
      kind: 'ClusterRoleBinding',
      metadata: { name: 'system:coredns' },
      roleRef: { apiGroup: role, kind: 'ClusterRole', name: 'system:coredns' },
      subjects: [{ kind: 'ServiceAccount', name: 'coredns', namespace: 'kube-system' }],
    },
    { apiVersion: 'v1', kind: 'ConfigMap', metadata, data: { Corefile: corefile } },
    {
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata,
      spec: {
        replicas: 1,
        selector: { matchLabels: metadata.labels },
        template: { metadata: { labels: metadata.labels }, spec: pod },
      },
    },
    {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { ...metadata, name: 'kube-dns' },
      spec: {
        clusterIP: dnsServiceAddress,
        selector: metadata.labels,
        ports: [port('dns', 'UDP'), port('dns-tcp', 'TCP')],
      },
    },
  ];
  return JSON.stringify({ apiVersion: 'v1', kind: 'List', items });
}
