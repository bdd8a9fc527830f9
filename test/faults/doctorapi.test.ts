/** The doctor's probes of the Kubernetes API, the pod range and the limit of memory, broken on purpose on a real node and mended. */
import { writeFile } from 'node:fs/promises';
import { describe, expect, onTestFinished, test } from 'vitest';
import { berthNamespace } from '../../scripts/deploy.ts';
import { kubectl, listPods } from '../../scripts/kubectl.ts';
import type { Pod } from '../../scripts/kubectl.ts';
import { eventually, podManifest } from '../cluster/scene.ts';
import {
  breakAndMend,
  cluster,
  finding,
  folder,
  inside,
  node,
  nothing,
  onNode,
  operate,
  outside,
  sh,
  unlessThere,
  until,
  useDoctorOnNode,
  within,
} from './doctoronnode.ts';
import type { Broken } from './doctoronnode.ts';

useDoctorOnNode();

const trial = 'doctor-trial';
/** With another kubeconfig than the administrator's. */
const other = outside({ change: (config) => config.replace('/etc/kubernetes/admin.conf', `${folder}/trial.conf`) });
const atTime = (offset: string): Broken['look'] => outside({ before: ['faketime', '-f', offset] });

interface Kubeconfig {
  readonly clusters: readonly { readonly name: string; readonly cluster: Readonly<Record<string, string>> }[];
  readonly users: readonly { readonly name: string; readonly user: Readonly<Record<string, string>> }[];
}

/** Makes it of the administrator's, with these of the cluster and in the place of the user. */
async function writeTrial(
  cluster: Readonly<Record<string, string>>,
  user?: Readonly<Record<string, string>>,
): Promise<void> {
  const admin = JSON.parse(await sh('cat /etc/kubernetes/admin.conf')) as Kubeconfig;
  const clusters = admin.clusters.map((each) => ({ ...each, cluster: { ...each.cluster, ...cluster } }));
  const users = admin.users.map((each) => ({ ...each, user: user ?? each.user }));
  await writeFile(onNode(`${folder}/trial.conf`), JSON.stringify({ ...admin, clusters, users }));
}

async function writeToken(): Promise<void> {
  await kubectl(cluster, ['create', 'serviceaccount', trial]);
  await writeTrial({}, { token: (await kubectl(cluster, ['create', 'token', trial])).trim() });
}
const deleteAccount = (): Promise<string> =>
  kubectl(cluster, ['delete', 'serviceaccount', trial, '--ignore-not-found', '--wait']);

const broken: readonly Broken[] = [
  {
    id: 'api.reachable',
    how: 'is behind a firewall that drops packets',
    look: other,
    breaking: async () => {
      // An address of the node's that nobody else asks for it.
      await writeTrial({ server: 'https://127.0.0.9:6443', 'tls-server-name': 'kubernetes' });
      await until('api.reachable', other, 'pass');
      const chain = '{ type filter hook output priority 0; ip daddr 127.0.0.9 tcp dport 6443 drop; }';
      await sh(`nft 'add table inet ${trial}; add chain inet ${trial} out ${chain}'`);
    },
    severity: 'failure',
    says: /^the Kubernetes API at 127\.0\.0\.9:6443 does not answer within 3 s$/,
    fix: /^curl -k https:\/\/127\.0\.0\.9:6443\/version from the node; kube-proxy and the firewall/,
    mending: () => sh(`nft delete table inet ${trial}`),
    undo: () => sh(`nft delete table inet ${trial} 2>/dev/null || true`),
  },
  {
    id: 'api.reachable',
    how: 'has a certificate that this node’s clock takes for one of the future',
    look: atTime('-400d'),
    severity: 'failure',
    says: /cannot be reached: certificate is not yet valid/,
    fix: /^timedatectl set-ntp true/,
    mending: nothing,
    after: outside(),
  },
  {
    id: 'api.reachable',
    how: 'has a certificate that this node’s clock takes for one of the past',
    look: atTime('+40000d'),
    severity: 'failure',
    says: /cannot be reached: certificate has expired/,
    fix: /^timedatectl set-ntp true.*; if date -u is right, renew the certificate/,
    mending: nothing,
    after: outside(),
  },
  {
    id: 'api.clock',
    how: 'is half a minute behind',
    look: atTime('-30s'),
    severity: 'warning',
    says: /this node's clock is \d\d s behind the API server's/,
    fix: /^timedatectl set-ntp true/,
    mending: nothing,
    after: outside(),
  },
  {
    id: 'api.clock',
    how: 'is an hour ahead',
    look: atTime('+1h'),
    severity: 'failure',
    says: /this node's clock is 3[56]\d\d s ahead of the API server's/,
    fix: /^timedatectl set-ntp true/,
    mending: nothing,
    after: outside(),
  },
  {
    id: 'api.identity',
    how: 'is a service account that was deleted',
    look: other,
    breaking: async () => {
      await writeToken();
      // Before the API server has seen the token: it would remember it for some seconds.
      await deleteAccount();
    },
    severity: 'failure',
    says: /the API server does not accept the token \(401\)/,
    fix: /rollout restart daemonset\/berth makes a new one/,
    mending: writeToken,
    undo: deleteAccount,
  },
  {
    id: 'api.rules',
    how: 'are not bound',
    look: inside,
    breaking: () => kubectl(cluster, ['delete', 'clusterrolebinding', 'berth-agent']),
    severity: 'failure',
    says: /may not get nodes \(agent\), list nodes \(agent\)/,
    fix: /^kubectl apply -f daemonset\/rbac\.yaml$/,
    mending: operate,
    undo: () => unlessThere('clusterrolebinding/berth-agent', 'kubectl apply -f daemonset/rbac.yaml'),
  },
  {
    id: 'api.policies',
    how: 'are not bound',
    look: inside,
    breaking: () => kubectl(cluster, ['delete', 'validatingadmissionpolicybinding', 'berth-nodes']),
    severity: 'warning',
    says: /the policies are not bound/,
    fix: /^kubectl apply -k daemonset\/policies/,
    mending: operate,
    undo: () => unlessThere('validatingadmissionpolicybinding/berth-nodes', 'kubectl apply -k daemonset/policies'),
  },
  {
    id: 'network.pod-range',
    how: 'is given by nobody',
    look: outside({ change: (config) => config.replace(`nodeName: ${node.name}`, `nodeName: ${trial}`) }),
    breaking: async () => {
      await node.kill('kube-controller-manager');
      const manifest = { apiVersion: 'v1', kind: 'Node', metadata: { name: trial }, spec: { unschedulable: true } };
      await kubectl(cluster, ['create', '-f', '-'], { stdin: JSON.stringify(manifest) });
    },
    severity: 'failure',
    says: /the Node has no pod range yet/,
    fix: /^start kube-controller-manager with --allocate-node-cidrs --cluster-cidr=RANGE, or set network\.podCIDR/,
    mending: () => node.start('kube-controller-manager'),
    undo: async () => {
      await kubectl(cluster, ['delete', 'node', trial, '--ignore-not-found']);
      if (node.componentPid('kube-controller-manager') === undefined) await node.start('kube-controller-manager');
    },
  },
];

describe('a node whose', () => {
  test.each(broken)('$id $how', breakAndMend);

  test('agent may have little memory says so, until it may have more: limits.memory', async () => {
    onTestFinished(async () => {
      await kubectl(cluster, ['delete', 'pod', trial, '--ignore-not-found', '--now']);
    });
    const at = '{.spec.template.spec.containers[?(@.name=="berth")].image}';
    const set = ['-n', berthNamespace, 'get', 'daemonset', 'berth', '-o'];
    const image = await kubectl(cluster, [...set, `jsonpath=${at}`]);
    const podWith = async (memory: number): Promise<Pod> => {
      const manifest = podManifest(trial, { node: node.name, image, limits: { memory } });
      await kubectl(cluster, ['replace', '--force', '--grace-period=0', '-f', '-'], {
        stdin: JSON.stringify(manifest),
      });
      return await eventually('the pod to run', 60, async () =>
        (await listPods(cluster, 'default')).find(
          ({ metadata, status }) => metadata.name === trial && status.phase === 'Running',
        ),
      );
    };
    const ill = await finding('limits.memory', within(await podWith(160 * 2 ** 20)));
    expect(ill).toMatchObject({ severity: 'warning', message: 'a limit of 160Mi of memory is little' });
    expect(ill.fix).toMatch(/--limits=memory=512Mi$/);
    // What such a command makes of the agent's DaemonSet. Of what is as it wants it, it says nothing; done, each agent would start anew.
    const [, ...words] = (ill.fix ?? '').replace('512Mi', '600Mi').split(' ');
    const answer = await kubectl(cluster, [...words, '--dry-run=server', '-o', 'json']);
    const { spec } = JSON.parse(answer) as { readonly spec: { readonly template: Pick<Pod, 'spec'> } };
    const limits = spec.template.spec.containers.map(({ name, resources }) => [name, resources?.limits?.['memory']]);
    expect(limits).toContainEqual(['berth', '600Mi']);
    expect(limits).toContainEqual(['csi-snapshotter', '128Mi']);
    expect(await finding('limits.memory', within(await podWith(512 * 2 ** 20)))).toMatchObject({ severity: 'pass' });
  });
});
