/** How a folder of manifests is applied. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';

const kustomizations = ['kustomization.yaml', 'kustomization.yml', 'Kustomization'];

/** `-k DIR` for a kustomization, `-f DIR` for plain manifests. */
export function applyArguments(folder: string): readonly string[] {
  return [kustomizations.some((name) => existsSync(join(folder, name))) ? '-k' : '-f', folder];
}
