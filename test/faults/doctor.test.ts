/** Probes of `berth doctor` broken on purpose on a real node: what each says, and that what it tells to do mends it. */
import { cp, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Finding } from '../../agent/doctor/finding.ts';
import { applyBerth } from '../../scripts/deploy.ts';
import { kubectl } from '../../scripts/kubectl.ts';
import { manifests } from '../cluster/setup.ts';
import { agentReady, killAgent } from './agent.ts';
import { cluster, finding, folder, inside, node, onNode, outside, restartAgents, sh, until } from './doctoronnode.ts';
import type { Look } from './doctoronnode.ts';

beforeAll(async () => {
  await cp(join(import.meta.dirname, '../../dist'), onNode(folder), { recursive: true });
  const bundle = await readFile(onNode(`${folder}/berth.mjs`), 'utf8');
  await writeFile(
    onNode(`${folder}/older.mjs`),
    bundle.replaceAll('"0.1.0"', '"0.0.9"').replaceAll("'0.1.0'", "'0.0.9'"),
  );
});
afterAll(async () => {
  await rm(onNode(folder), { recursive: true });
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

interface Broken {
  readonly id: string;
  readonly how: string;
  readonly look: Look;
  readonly breaking: () => Promise<unknown>;
  readonly severity: Finding['severity'];
  readonly says: RegExp;
  readonly fix: RegExp;
  /** Default: the finding's own command, in a shell on the node. */
  readonly mending?: (fix: string) => Promise<unknown>;
  /** Default: `look`. */
  readonly after?: Look;
}

const small = '/var/lib/berth/pools/small';
const toml = '/etc/containerd/config.toml';
let disk = '';
const setting =
  (before: string, after: string) =>
  (config: string): string =>
    config.replace(before, after);

/** It is the NodeConfig that is wrong, or the program. */
const nothing = (): Promise<void> => Promise.resolve();

const broken: readonly Broken[] = [
  {
    id: 'kubelet.root',
    how: 'is said to be where k0s has it',
    look: outside((config) => `${config}kubelet: {rootDir: /var/lib/k0s/kubelet}\n`),
    breaking: nothing,
    severity: 'failure',
    says: /\/var\/lib\/k0s\/kubelet does not exist/,
    fix: /set kubelet\.rootDir: \/var\/lib\/kubelet in the NodeConfig/,
    mending: nothing,
    after: outside((config) => `${config}kubelet: {rootDir: /var/lib/kubelet}\n`),
  },
  {
    id: 'kubelet.root-shared',
    how: 'is private',
    look: outside(),
    breaking: () => sh('mount --make-private /'),
    severity: 'failure',
    says: /not on a shared mount \(propagation of \/: private\)/,
    fix: /^mount --make-rshared \/$/,
    mending: async (fix) => {
      await sh(fix);
      // Containers from before have lost the way by which mounts reach them.
      await restartAgents();
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
    look: outside(setting('network:\n', 'network:\n  cniBinDir: /var/lib/rancher/k3s/data/cni\n')),
    breaking: nothing,
    severity: 'failure',
    says: /does not exist/,
    fix: /set network\.cniBinDir: \/opt\/cni\/bin/,
    mending: nothing,
    after: outside(),
  },
  {
    id: 'cni.conf-dir',
    how: 'is said to be where MicroK8s has it',
    look: outside(setting('network:\n', 'network:\n  cniConfDir: /var/snap/microk8s/current/args/cni-network\n')),
    breaking: nothing,
    severity: 'failure',
    says: /does not exist/,
    fix: /set network\.cniConfDir: \/etc\/cni\/net\.d/,
    mending: nothing,
    after: outside(),
  },
  {
    id: 'cni.runtime-dirs',
    how: 'are not those of the NodeConfig',
    look: outside(setting('network:\n', 'network:\n  cniConfDir: /etc/cni\n')),
    breaking: nothing,
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
  },
  {
    id: 'api.rules',
    how: 'are not bound',
    look: inside,
    breaking: () => kubectl(cluster, ['delete', 'clusterrolebinding', 'berth-agent']),
    severity: 'failure',
    says: /may not get nodes \(agent\), list nodes \(agent\)/,
    fix: /^kubectl apply -k daemonset\/$/,
    mending: () => applyBerth(cluster, () => undefined, manifests),
  },
  {
    id: 'api.policies',
    how: 'are not bound',
    look: inside,
    breaking: () => kubectl(cluster, ['delete', 'validatingadmissionpolicybinding', 'berth-nodes']),
    severity: 'warning',
    says: /the policies are not bound/,
    fix: /^kubectl apply -k daemonset\/policies/,
    mending: () => applyBerth(cluster, () => undefined, manifests),
  },
  {
    id: 'agent.version',
    how: 'is another than that of the program',
    look: outside(undefined, 'older.mjs'),
    breaking: nothing,
    severity: 'warning',
    says: /the agent is 0\.1\.0, and this program 0\.0\.9/,
    fix: /exec POD -- berth doctor/,
    mending: nothing,
    after: inside,
  },
];

describe('a node whose', () => {
  test.each(broken)('$id $how', async ({ id, look, breaking, severity, says, fix, mending, after }) => {
    await breaking();
    const ill = await until(id, look, severity);
    expect(ill.message).toMatch(says);
    expect(ill.fix).toMatch(fix);
    await (mending ?? sh)(ill.fix ?? '');
    await until(id, after ?? look, 'pass');
  });

  test('kubelet and agent were killed says so of both, until the kubelet runs again', async () => {
    await node.kill('kubelet');
    const pid = await killAgent(node);
    const ids = ['kubelet.device-socket', 'kubelet.driver-sockets', 'agent.socket'];
    for (const id of ids) expect((await until(id, outside(), 'failure')).message).toMatch(/does not answer on/);
    expect(await finding('kubelet.device-socket', outside())).toMatchObject({
      fix: expect.stringContaining('systemctl restart kubelet') as string,
    });
    expect(await finding('agent.services', outside())).toMatchObject({ severity: 'unknown' });
    await node.start('kubelet');
    await agentReady(node, pid);
    for (const id of [...ids, 'agent.services']) await until(id, outside(), 'pass');
  });
});
