/** The image as the next version would be: the same program, which takes itself for another. */
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { runChecked } from '../../cluster/command.ts';
import manifest from '../../package.json' with { type: 'json' };
import { buildImage } from '../../scripts/image.ts';

export const nextVersion = '999.0.0';

/** An archive for `cluster.load`, in a folder that `remove` takes away. */
export async function buildNextImage(
  progress: (line: string) => void,
): Promise<{ path: string; remove: () => Promise<void> }> {
  const folder = await mkdtemp(join(tmpdir(), 'berth-next-'));
  const remove = (): Promise<void> => rm(folder, { recursive: true, force: true });
  const { path } = await buildImage({ progress });
  const buildah = ['--root', join(folder, 'storage'), '--runroot', join(folder, 'run'), '--storage-driver', 'vfs'];
  const container = (await runChecked('buildah', [...buildah, 'from', `docker-archive:${path}`])).trim();
  const mounted = (await runChecked('buildah', [...buildah, 'mount', container])).trim();
  const bundle = join(mounted, 'opt/berth/berth.mjs');
  const text = await readFile(bundle, 'utf8');
  const changed = text.replace(`version: "${manifest.version}"`, `version: "${nextVersion}"`);
  if (changed === text) throw new Error(`${bundle} does not say its version`);
  await writeFile(bundle, changed);
  const archive = join(folder, 'next.tar');
  const name = `berth.dev/berth:${nextVersion}`;
  await runChecked('buildah', [...buildah, 'commit', container, `docker-archive:${archive}:${name}`]);
  await runChecked('buildah', [...buildah, 'umount', container]);
  return { path: archive, remove };
}
