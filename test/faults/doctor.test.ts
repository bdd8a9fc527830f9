/** Probes of `berth doctor` broken on purpose on a real node: what each says, and that what it tells to do mends it. */
import { cp, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { waitForAgents } from '../../scripts/deploy.ts';
import { kubectl } from '../../scripts/kubectl.ts';
import { agentReady, killAgent } from './agent.ts';
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
} from './doctoronnode.ts';
import type { Broken } from './doctoronnode.ts';

useDoctorOnNode();
beforeAll(async () => {
  const bundle = await readFile(onNode(`${folder}/berth.mjs`), 'utf8');
  await writeFile(
    onNode(`${folder}/older.mjs`),
    bundle.replaceAll('"0.1.0"', '"0.0.9"').replaceAll("'0.1.0'", "'0.0.9'"),
  );
});

describe('a node on which nothing is wrong', () => {
  test('is well from inside the agent, but for what cannot be seen from a container', async () => {
    const ill = (await inside()).filter(({ severity }) => severity !== 'pass');
    expect(ill.map(({ id, severity }) => [id, severity])).toEqual([['cni.runtime-dirs', 'unknown']]);
  });

  test('is well from outside of it, but for what only the agent may be asked for', async () => {
    const ill = (await outside()()).filter(({ severity }) => severity !== 'pass');
    expect(ill.map(({ id, severity }) => [id, severity])).toEqual([['api.policies', 'unknown']]);
  });
});

const small = '/var/lib/berth/pools/small';
const toml = '/etc/containerd/config.toml';
let disk = '';
const setting =
  (before: string, after: string) =>
  (config: string): string =>
    config.replace(before, after);

/** The first line is for the node, the second for the cluster. */
async function share(fix: string): Promise<void> {
  const [mount = '', restart = ''] = fix.split('\n');
  await sh(mount);
  await operate(restart);
  await waitForAgents(cluster);
}

const broken: readonly Broken[] = [
  {
    id: 'kubelet.root',
    how: 'is said to be where k0s has it',
    look: outside({ change: (config) => `${config}kubelet: {rootDir: /var/lib/k0s/kubelet}\n` }),
    severity: 'failure',
    says: /\/var\/lib\/k0s\/kubelet does not exist/,
    fix: /set kubelet\.rootDir: \/var\/lib\/kubelet in the NodeConfig/,
    mending: nothing,
    after: outside({ change: (config) => `${config}kubelet: {rootDir: /var/lib/kubelet}\n` }),
  },
  {
    id: 'api.berthnode',
    how: 'is not known to the cluster',
    look: inside,
    // Its objects go with it. The agents of the next row start anew, and write theirs at once.
    breaking: () => kubectl(cluster, ['delete', 'crd', 'berthnodes.berth.dev']),
    severity: 'failure',
    says: /the CRD berthnodes\.berth\.dev is not installed/,
    fix: /^kubectl apply -f daemonset\/crds\/berthnodes\.yaml;/,
    mending: operate,
    undo: () => unlessThere('crd/berthnodes.berth.dev', 'kubectl apply -f daemonset/crds/berthnodes.yaml'),
  },
  {
    id: 'kubelet.root-shared',
    how: 'is private',
    look: outside(),
    breaking: () => sh('mount --make-private /'),
    severity: 'failure',
    says: /not on a shared mount \(propagation of \/: private\)/,
    fix: /^mount --make-rshared \/\nkubectl -n berth-system rollout restart daemonset\/berth$/,
    mending: share,
    undo: async () => {
      if ((await sh('findmnt -no PROPAGATION /')) !== 'shared')
        await share('mount --make-rshared /\nkubectl -n berth-system rollout restart daemonset/berth');
    },
  },
  {
    id: 'cni.first-conflist',
    how: 'comes after another',
    look: inside,
    breaking: () => sh(`echo '{"plugins": [{"type": "other"}]}' > /etc/cni/net.d/00-other.conflist`),
    severity: 'failure',
    says: /the runtime takes 00-other\.conflist/,
    fix: /mv \/etc\/cni\/net\.d\/00-other\.conflist .*\.off$/,
    mending: (fix) => sh(`${fix.slice(fix.indexOf('mv '))} && rm /etc/cni/net.d/*.off`),
    undo: () => sh('rm -f /etc/cni/net.d/00-other.*'),
  },
  {
    id: 'cni.other-configurations',
    how: 'has one behind it',
    look: inside,
    breaking: () => sh('echo "{}" > /etc/cni/net.d/99-other.conflist'),
    severity: 'warning',
    says: /also there: 99-other\.conflist/,
    fix: /mv \/etc\/cni\/net\.d\/99-other\.conflist/,
    mending: (fix) => sh(`${fix.slice(fix.indexOf('mv '))} && rm /etc/cni/net.d/*.off`),
    undo: () => sh('rm -f /etc/cni/net.d/99-other.*'),
  },
  {
    id: 'cni.executable',
    how: 'is of another version than the program that looks',
    look: outside(),
    breaking: () => writeFile(onNode(`${folder}/cni/berth`), 'of another version'),
    severity: 'failure',
    says: /is not that of this version/,
    fix: /rollout restart/,
    mending: () =>
      cp(join(import.meta.dirname, '../../dist/cni/berth'), onNode(`${folder}/cni/berth`), {
        preserveTimestamps: true,
      }),
  },
  {
    id: 'cni.bin-dir',
    how: 'is said to be where k3s has it',
    look: outside({ change: setting('network:\n', 'network:\n  cniBinDir: /var/lib/rancher/k3s/data/cni\n') }),
    severity: 'failure',
    says: /does not exist/,
    fix: /set network\.cniBinDir: \/opt\/cni\/bin/,
    mending: nothing,
    after: outside(),
  },
  {
    id: 'cni.conf-dir',
    how: 'is said to be where MicroK8s has it',
    look: outside({
      change: setting('network:\n', 'network:\n  cniConfDir: /var/snap/microk8s/current/args/cni-network\n'),
    }),
    severity: 'failure',
    says: /does not exist/,
    fix: /set network\.cniConfDir: \/etc\/cni\/net\.d/,
    mending: nothing,
    after: outside(),
  },
  {
    id: 'cni.runtime-dirs',
    how: 'are not those of the NodeConfig',
    look: outside({ change: setting('network:\n', 'network:\n  cniConfDir: /etc/cni\n') }),
    severity: 'failure',
    says: /containerd reads \/etc\/cni\/net\.d, and network\.cniConfDir is \/etc\/cni/,
    fix: /set network\.cniConfDir: \/etc\/cni\/net\.d/,
    mending: nothing,
    after: outside(),
  },
  {
    id: 'devices.cdi',
    how: 'is switched off',
    look: outside(),
    breaking: () => sh(`cp ${toml} ${folder}/toml && echo 'enable_cdi = false' >> ${toml}`),
    severity: 'warning',
    says: /containerd reads no CDI files \(enable_cdi = false\)/,
    fix: /set enable_cdi = true in \/etc\/containerd\/config\.toml/,
    mending: () => sh(`sed -i 's/^enable_cdi = false/enable_cdi = true/' ${toml}`),
    undo: () => sh(`cp ${folder}/toml ${toml}`),
  },
  {
    id: 'storage.pool-disk',
    how: 'is not mounted',
    look: inside,
    breaking: async () => {
      disk = await sh(`findmnt -no SOURCE ${small}`);
      await sh(`umount -l ${small}`);
    },
    severity: 'failure',
    says: /pool "small" is not at .*pools\/small now: its disk is not mounted/,
    fix: /mount its disk on \/var\/lib\/berth\/pools\/small again/,
    mending: () => sh(`mount ${disk} ${small}`),
    undo: () => sh(`mountpoint -q ${small} || mount ${disk} ${small}`),
  },
  {
    id: 'agent.version',
    how: 'is another than that of the program',
    look: outside({ program: 'older.mjs' }),
    severity: 'warning',
    says: /the agent is 0\.1\.0, and this program 0\.0\.9/,
    fix: /exec POD -- berth doctor/,
    mending: nothing,
    after: inside,
  },
];

describe('a node whose', () => {
  test.each(broken)('$id $how', breakAndMend);

  test('kubelet is killed, and then its agent, until the kubelet runs again: kubelet.device-socket, kubelet.pod-resources, agent.services, kubelet.driver-sockets, agent.socket', async () => {
    onTestFinished(async () => {
      if (node.componentPid('kubelet') === undefined) await node.start('kubelet');
    });
    await node.kill('kubelet');
    const ofKubelet = ['kubelet.device-socket', 'kubelet.pod-resources'];
    for (const id of ofKubelet) {
      const { message, fix } = await until(id, outside(), 'failure');
      expect(message).toMatch(/the kubelet does not answer on .*\.sock: nobody listens/);
      expect(fix).toMatch(/^systemctl restart kubelet/);
    }
    const told = await until('agent.services', outside(), 'failure');
    expect(told.message).toMatch(/devices does not serve: .* is not registered with the kubelet/);
    const pid = await killAgent(node);
    const ofAgent = ['kubelet.driver-sockets', 'agent.socket'];
    for (const id of ofAgent) expect((await until(id, outside(), 'failure')).message).toMatch(/does not answer on/);
    expect(await finding('agent.services', outside())).toMatchObject({ severity: 'unknown' });
    await node.start('kubelet');
    await agentReady(node, pid);
    for (const id of [...ofKubelet, ...ofAgent, 'agent.services']) await until(id, outside(), 'pass');
  });
});
