import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { applyBerth, manifestFolder } from '../../scripts/deploy.ts';
import { kubectl } from '../../scripts/kubectl.ts';
import { claimManifest, eventually, podManifest, useScene } from '../cluster/scene.ts';
import { manifests } from '../cluster/setup.ts';
import { invariantsHold } from './invariantshold.ts';

const scene = useScene('removal');
const { cluster } = scene;

/** What the container of `berth uninstall` on a node said last. */
async function initMessage(node: string): Promise<string | undefined> {
  const path =
    '{range .items[0].status.initContainerStatuses[0]}{.state.terminated.message}{.lastState.terminated.message}';
  const selector = `spec.nodeName=${node}`;
  const said = await kubectl(cluster, [
    ...['get', 'pods', '-n', 'berth-uninstall', '--field-selector', selector, '-o', `jsonpath=${path}{end}`],
  ]).catch(() => '');
  return said === '' ? undefined : said;
}

/** What docs/recovery.md tells to do without an agent, with its own commands: the bytes of a claim's volume, on its node. */
async function readByHand(namespace: string, claim: string): Promise<void> {
  const text = await readFile(join(import.meta.dirname, '../../docs/recovery.md'), 'utf8');
  const section = text.slice(text.indexOf('## Volumes by hand'), text.indexOf('## A filesystem that stays frozen'));
  const [find = '', isFree = '', attach = '', detach = ''] = [...section.matchAll(/```sh\n([^`]+)```/g)].map(
    ([, code]) => code,
  );
  const node = cluster.nodes[1]!;
  const run = async (script: string): Promise<string> => {
    const { stdout, stderr, code } = await node.exec(['sh', '-ec', script]);
    if (code !== 0) throw new Error(`${script}: ${stderr}`);
    return stdout;
  };
  const [, id = ''] =
    new RegExp(`^meta/(v1-.*)\\.json- *"namespace": "${namespace}",\nmeta/\\1\\.json- *"name": "${claim}"$`, 'm').exec(
      await run(find),
    ) ?? [];
  const pool = `cd /var/lib/berth/pools/default; ID=${id}\n`;
  // A pod has it: it is to be left alone, and a copy is looked at.
  expect(await run(pool + isFree)).toContain(`images/${id}.img`);
  const copy = `cp --sparse=always images/$ID.img images/copy.img; ID=copy\n`;
  expect(await run(`${pool}${copy}${isFree}${attach}cat /mnt/rescued/file; ${detach}rm images/copy.img`)).toBe(
    'kept\n',
  );
}

test('when Berth is removed pods keep what they have, and the next installation finds all of it', async () => {
  await scene.apply(
    claimManifest('kept', 'berth-ext4', '64Mi'),
    podManifest('pod', { node: 'node-2', claims: { '/data': 'kept' } }),
  );
  const before = await scene.ready('pod');
  await scene.inside('pod', 'echo kept > /data/file && sync');

  await kubectl(cluster, ['delete', '-k', manifests, '--wait', '--timeout=120s']);
  expect((await scene.inside('pod', 'cat /data/file && echo more >> /data/file')).text).toBe('kept');
  const ping = await cluster.nodes[1]!.exec(['busybox', 'ping', '-c', '1', '-W', '2', before.status.podIP!]);
  expect(ping.stdout).toContain('1 packets received');

  await readByHand('removal', 'kept');

  // berth uninstall refuses a node with pods, and clears one without.
  const uninstalling = join(manifestFolder, 'uninstall');
  await kubectl(cluster, ['apply', '-k', uninstalling]);
  expect(await eventually('the refusal', 60, () => initMessage('node-2'))).toContain('with a network from Berth');
  expect((await scene.inside('pod', 'cat /data/file')).text).toBe('kept\nmore');
  await kubectl(cluster, ['delete', '-k', uninstalling, '--wait', '--timeout=120s']);

  await applyBerth(cluster, () => undefined, manifests);
  const after = await scene.ready('pod');
  expect(after.metadata.uid).toBe(before.metadata.uid);
  await scene.remove('pod', 'pod');
  await scene.apply(podManifest('next', { claims: { '/data': 'kept' } }));
  await scene.ready('next');
  expect((await scene.inside('next', 'cat /data/file')).text).toBe('kept\nmore');
  await invariantsHold(cluster);
  await scene.remove('pod', 'next');
  await scene.remove('pvc', 'kept');
});
