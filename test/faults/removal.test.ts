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
