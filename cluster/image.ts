/** Container images without a container tool: one layer of given files, as an OCI archive that containerd imports. */
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { writeFileAtomic } from '../kit/durablefile.ts';
import { cacheFolder } from './cache.ts';
import { createTar } from '../kit/tar.ts';
import type { TarEntry } from '../kit/tar.ts';

/** A file of an image: from this machine (`source`), with given content, a symbolic link or a folder. Paths begin with `/`. */
export type ImageFile =
  | { readonly path: string; readonly source: string; readonly mode?: number }
  | { readonly path: string; readonly content: string; readonly mode?: number }
  | { readonly path: string; readonly symlink: string }
  | { readonly path: string; readonly folder: true; readonly mode?: number };

export interface ImageRecipe {
  /** Full reference, as `docker.io/library/busybox:1.37`. */
  readonly ref: string;
  readonly files: readonly ImageFile[];
  readonly entrypoint?: readonly string[];
  readonly cmd?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
}

/** The image as an archive in the cache; built unless it is there. Returns its path. */
export async function buildBinaryImage(recipe: ImageRecipe): Promise<string> {
  const layer = createTar(layerEntries(recipe.files));
  const archive = createTar(archiveEntries(recipe, layer));
  const folder = join(cacheFolder(), 'images');
  const path = join(folder, `${recipe.ref.replaceAll(/[^\w.-]/g, '_')}-${sha256(archive).slice(0, 12)}.tar`);
  if (existsSync(path)) return path;
  mkdirSync(folder, { recursive: true });
  await writeFileAtomic(path, archive, { mode: 0o644, sync: false });
  return path;
}

/** The entries of the layer: every folder on the way to a file once and before it. */
export function layerEntries(files: readonly ImageFile[]): TarEntry[] {
  const entries: TarEntry[] = [];
  const folders = new Set<string>(files.filter((file) => 'folder' in file).map((file) => file.path.slice(1)));
  const known = new Set<string>();
  for (const file of files) {
    const path = file.path.slice(1);
    const parts = path.split('/');
    for (let depth = 1; depth < parts.length; depth += 1) {
      const parent = parts.slice(0, depth).join('/');
      if (known.has(parent) || folders.has(parent)) continue;
      known.add(parent);
      entries.push({ path: parent, type: 'folder' });
    }
    entries.push(layerEntry(path, file));
  }
  return entries;
}

function layerEntry(path: string, file: ImageFile): TarEntry {
  if ('symlink' in file) return { path, type: 'symlink', target: file.symlink };
  const mode = file.mode === undefined ? {} : { mode: file.mode };
  if ('folder' in file) return { path, type: 'folder', ...mode };
  const content = 'source' in file ? readFileSync(file.source) : Buffer.from(file.content);
  return { path, type: 'file', content, ...mode };
}

/** The OCI image layout around one layer (image-spec, "OCI Image Layout" and "Image Configuration"). */
function archiveEntries(recipe: ImageRecipe, layer: Uint8Array): TarEntry[] {
  const blobs = new Map<string, Uint8Array>();
  const add = (mediaType: string, content: Uint8Array): { mediaType: string; digest: string; size: number } => {
    const digest = sha256(content);
    blobs.set(digest, content);
    return { mediaType, digest: `sha256:${digest}`, size: content.length };
  };
  const json = (value: unknown): Buffer => Buffer.from(JSON.stringify(value));
  const layerDescriptor = add('application/vnd.oci.image.layer.v1.tar', layer);
  const path = 'PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';
  const config = json({
    architecture: process.arch === 'x64' ? 'amd64' : process.arch,
    os: 'linux',
    config: {
      Env: [path, ...Object.entries(recipe.env ?? {}).map(([name, value]) => `${name}=${value}`)],
      ...(recipe.entrypoint === undefined ? {} : { Entrypoint: recipe.entrypoint }),
      ...(recipe.cmd === undefined ? {} : { Cmd: recipe.cmd }),
    },
    rootfs: { type: 'layers', diff_ids: [layerDescriptor.digest] },
  });
  const manifest = json({
    schemaVersion: 2,
    mediaType: 'application/vnd.oci.image.manifest.v1+json',
    config: add('application/vnd.oci.image.config.v1+json', config),
    layers: [layerDescriptor],
  });
  const descriptor = {
    ...add('application/vnd.oci.image.manifest.v1+json', manifest),
    annotations: {
      'io.containerd.image.name': recipe.ref,
      'org.opencontainers.image.ref.name': recipe.ref.slice(recipe.ref.lastIndexOf(':') + 1),
    },
  };
  return [
    { path: 'oci-layout', type: 'file', content: json({ imageLayoutVersion: '1.0.0' }) },
    { path: 'index.json', type: 'file', content: json({ schemaVersion: 2, manifests: [descriptor] }) },
    { path: 'blobs', type: 'folder' },
    { path: 'blobs/sha256', type: 'folder' },
    ...[...blobs].map(([digest, content]): TarEntry => ({ path: `blobs/sha256/${digest}`, type: 'file', content })),
  ];
}

function sha256(content: Uint8Array): string {
  return createHash('sha256').update(content).digest('hex');
}
