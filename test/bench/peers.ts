/** The programs ours is measured beside, or works together with, built once into the cache by module path and version. */
import { existsSync, mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { cacheFolder } from '../../cluster/cache.ts';
import { runChecked } from '../../cluster/command.ts';
import { findGo } from '../../cluster/go.ts';

/** The reference plugins of the CNI project. */
export const cniPluginsVersion = '1.9.1';
const cniPlugins = {
  ptp: 'plugins/main/ptp',
  bridge: 'plugins/main/bridge',
  'host-local': 'plugins/ipam/host-local',
  portmap: 'plugins/meta/portmap',
  tuning: 'plugins/meta/tuning',
};

/** Where the reference plugins lie once built; also their CNI_PATH. */
export function cniPluginsFolder(): string {
  return join(cacheFolder(), 'peers', `cni-plugins-${cniPluginsVersion}-${process.arch}`);
}

/** Builds the reference plugins if they are not there, as their releases are: static and stripped. Throws without Go or modules. */
export async function ensureCniPlugins(): Promise<void> {
  const folder = cniPluginsFolder();
  if (Object.keys(cniPlugins).every((name) => existsSync(join(folder, name)))) return;
  const go = await findGo();
  process.stderr.write(`Building the CNI reference plugins ${cniPluginsVersion}\n`);
  mkdirSync(folder, { recursive: true });
  const output = mkdtempSync(join(folder, '../.go-'));
  try {
    const module = 'github.com/containernetworking/plugins';
    const packages = Object.values(cniPlugins).map((path) => `${module}/${path}@v${cniPluginsVersion}`);
    const env = { ...process.env, ...go.env, CGO_ENABLED: '0', GOBIN: output };
    await runChecked(go.path, ['install', '-ldflags', '-s -w', ...packages], { env });
    for (const name of readdirSync(output)) renameSync(join(output, name), join(folder, name));
  } finally {
    rmSync(output, { recursive: true, force: true });
  }
}
