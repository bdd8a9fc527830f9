/** The snapshot API (VolumeSnapshot, VolumeGroupSnapshot and what belongs to them): its CRDs, from the module that publishes them. */
import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import { glob, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { writeFileAtomic } from '../kit/durablefile.ts';
import { BerthError } from '../kit/errors.ts';
import { cacheFolder } from './cache.ts';
import { runChecked } from './command.ts';
import { findGo } from './go.ts';

const toolsFolder = join(import.meta.dirname, 'tools');
const modulePath = 'github.com/kubernetes-csi/external-snapshotter/client/v8';

/** Path of a file for `kubectl apply --filename`, of the version that the snapshot sidecars are built with. Kept in the cache. */
export async function ensureSnapshotCrds(): Promise<string> {
  const version = pinnedVersion(readFileSync(join(toolsFolder, 'go.mod'), 'utf8'));
  const path = join(cacheFolder(), 'crds', `snapshots-${version}.yaml`);
  if (existsSync(path)) return path;
  const go = await findGo();
  const answer = await runChecked(go.path, ['mod', 'download', '-json', `${modulePath}@${version}`], {
    cwd: toolsFolder,
    env: { ...process.env, ...go.env },
  });
  const { Dir: folder } = JSON.parse(answer) as { readonly Dir: string };
  const files = await Array.fromAsync(glob(join(folder, 'config/crd/*snapshot.storage.k8s.io_*.yaml')));
  const texts = await Promise.all(files.toSorted().map((file) => readFile(file, 'utf8')));
  if (texts.length === 0) throw new BerthError('NOT_FOUND', `${modulePath} ${version} has no CRDs in config/crd`);
  mkdirSync(join(cacheFolder(), 'crds'), { recursive: true });
  await writeFileAtomic(path, texts.join('\n---\n'), { mode: 0o644, sync: false });
  return path;
}

/** The version of the module in a go.mod. */
function pinnedVersion(goMod: string): string {
  const version = goMod
    .split('\n')
    .map((line) => line.trim().split(' '))
    .find(([path]) => path === modulePath)?.[1];
  if (version === undefined) throw new BerthError('NOT_FOUND', `cluster/tools/go.mod does not name ${modulePath}`);
  return version;
}
