/** What the agents tell of volumes in the cluster, and a claim deleted by mistake that is brought back. */
import { afterAll, expect, test } from 'vitest';
import type { InspectedVolume } from '../../csi/objectinspection.ts';
import { berthNamespace } from '../../scripts/deploy.ts';
import { inPod, kubectl } from '../../scripts/kubectl.ts';
import { agentPod } from './devicerules.ts';
import { claimManifest, eventually, useScene } from './scene.ts';
import { fromClaim, tracesOf, volumeGone, volumeOf, volumePod } from './volumes.ts';

const scene = useScene('storageseeing');
const { cluster, namespace } = scene;
const node = cluster.nodes[1]!;
const inBerth = ['-n', berthNamespace];
const pod = (name: string, claim: string) =>
  volumePod(name, [{ name: 'data', source: fromClaim(claim), path: '/data' }], { node: node.name });

/** What a command of the node's agent prints. */
async function berth(...args: readonly string[]): Promise<string> {
  const { stdout, stderr, code } = await inPod(cluster, await agentPod(cluster, node.name), ['berth', ...args]);
  if (code !== 0) throw new Error(`berth ${args.join(' ')}: ${stderr.trim()}`);
  return stdout;
}

/** Gives the agents the pools of a configuration in which `from` is replaced; they restart one after another. */
async function reconfigure(from: string | RegExp, to: string): Promise<void> {
  const volumes = '{.spec.template.spec.volumes[?(@.name=="config")].configMap.name}';
  const name = await kubectl(cluster, ['get', 'daemonset', 'berth', ...inBerth, '-o', `jsonpath=${volumes}`]);
  const { data } = JSON.parse(await kubectl(cluster, ['get', 'configmap', name, ...inBerth, '-o', 'json'])) as {
    readonly data: Readonly<Record<string, string>>;
  };
  const changed = Object.fromEntries(Object.entries(data).map(([file, text]) => [file, text.replace(from, to)]));
  await kubectl(cluster, ['patch', 'configmap', name, ...inBerth, '-p', JSON.stringify({ data: changed })]);
  await kubectl(cluster, ['rollout', 'restart', 'daemonset', 'berth', ...inBerth]);
  await kubectl(cluster, ['rollout', 'status', 'daemonset', 'berth', ...inBerth, '--timeout=180s']);
}

const without = 'path: /var/lib/berth/pools/default\n';
const withTrash = `${without}      trashRetention: 1h\n`;
let kept = false;
afterAll(async () => {
  if (kept) await reconfigure(withTrash, without);
});

test('a volume is told of with its claim and its pods', async () => {
  await scene.apply(claimManifest('shown', 'berth-ext4', '64Mi'), pod('reader', 'shown'));
  await scene.ready('reader');
  const { name, handle } = await volumeOf(scene, 'shown');
  expect(await berth('get', 'volumes')).toMatch(
    new RegExp(`${handle} +${namespace}/shown +default +ext4 +64Mi .* published +\\S+ +${namespace}/reader `),
  );
  expect(await berth('get', 'pools')).toMatch(/RANGE [^]*POOL [^]*\ndefault +image /);
  const shown = JSON.parse(await berth('inspect', `${namespace}/shown`, '-o', 'json')) as InspectedVolume;
  expect(shown).toMatchObject({ id: handle, name, attached: true, problems: [], node: node.name });
  expect(shown.published).toMatchObject([{ readonly: false, pod: `${namespace}/reader` }]);
  await scene.remove('pod', 'reader');
  await scene.remove('pvc', 'shown');
  await volumeGone(scene, { name, handle });
});

test('a claim deleted by mistake comes back with its bytes, by a PersistentVolume written by hand', async () => {
  kept = true;
  await reconfigure(without, withTrash);
  await scene.apply(claimManifest('precious', 'berth-ext4', '64Mi'), pod('one', 'precious'));
  await scene.ready('one');
  await scene.inside('one', 'echo precious > /data/file && sync');
  const { name, handle } = await volumeOf(scene, 'precious');
  await scene.remove('pod', 'one');
  await scene.remove('pvc', 'precious');
  await eventually('the volume to lie in the trash', 60, async () =>
    (await berth('get', 'trash')).includes(handle) ? true : undefined,
  );
  expect((await cluster.kubectl(['get', 'pv', name, '--ignore-not-found', '-o', 'name'])).stdout).toBe('');
  expect(await berth('undelete', `${namespace}/precious`)).toContain(
    `volume ${handle} is back: 64Mi, ext4, pool default`,
  );

  const topology = { key: 'csi.berth.dev/node', operator: 'In', values: [node.name] };
  const volume = {
    apiVersion: 'v1',
    kind: 'PersistentVolume',
    // Without saying whose it is the provisioner would not delete it in the end.
    metadata: { name: 'rescued', annotations: { 'pv.kubernetes.io/provisioned-by': 'csi.berth.dev' } },
    spec: {
      capacity: { storage: '64Mi' },
      accessModes: ['ReadWriteOnce'],
      persistentVolumeReclaimPolicy: 'Delete',
      storageClassName: 'berth-ext4',
      csi: { driver: 'csi.berth.dev', volumeHandle: handle, fsType: 'ext4' },
      nodeAffinity: { required: { nodeSelectorTerms: [{ matchExpressions: [topology] }] } },
    },
  };
  await kubectl(cluster, ['apply', '-f', '-'], { stdin: JSON.stringify(volume) });
  await scene.apply(claimManifest('again', 'berth-ext4', '64Mi', { volumeName: 'rescued' }), pod('two', 'again'));
  await scene.ready('two');
  expect((await scene.inside('two', 'cat /data/file')).text).toBe('precious');
  expect(await berth('get', 'trash')).toBe('The trash is empty.\n');

  await scene.remove('pod', 'two');
  await scene.remove('pvc', 'again');
  await eventually('the volume to lie in the trash again', 60, async () =>
    (await berth('get', 'trash')).includes(handle) ? true : undefined,
  );
  await reconfigure(withTrash, without);
  kept = false;
  await eventually('the trash to be emptied', 60, async () =>
    (await tracesOf(node, handle)).length === 0 ? true : undefined,
  );
});
