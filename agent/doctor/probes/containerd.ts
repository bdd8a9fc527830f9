/** What the configuration of containerd says of CNI and CDI: a guess from its text, where it can be seen (on the node). */
import { onHost } from '../context.ts';
import type { DoctorContext } from '../context.ts';
import { exists, readText } from '../reading.ts';

export interface ContainerdSettings {
  readonly confDir: string;
  readonly binDirs: readonly string[];
  readonly cdi: boolean | undefined;
  /** Undefined where they are not named: then /etc/cdi and /var/run/cdi. */
  readonly cdiDirs: readonly string[] | undefined;
  readonly from: string;
}

/** The distributions' own, then the usual one: where k3s runs, the latter is not read. */
const files = [
  '/var/lib/rancher/k3s/agent/etc/containerd/config.toml',
  '/var/lib/rancher/rke2/agent/etc/containerd/config.toml',
  '/run/k0s/containerd-cri.toml',
  '/var/snap/microk8s/current/args/containerd.toml',
  '/etc/containerd/config.toml',
];

export async function containerdSettings(context: DoctorContext): Promise<ContainerdSettings | undefined> {
  return await context.once('containerd', async () => {
    for (const file of files) {
      const text = await readText(onHost(context, file));
      if (text !== undefined) return parseContainerd(text, file);
    }
    // Its defaults, where there is one.
    const socket = '/run/containerd/containerd.sock';
    return (await exists(onHost(context, socket))) ? parseContainerd('', socket) : undefined;
  });
}

/** Pure. Not all of TOML: keys with a text or a list of texts, wherever they stand; defaults for what is not named. */
function parseContainerd(text: string, from: string): ContainerdSettings {
  const lines = text.replaceAll(/^\s*#.*$/gm, '');
  const valueOf = (key: string): string | undefined =>
    new RegExp(`^\\s*${key}\\s*=\\s*(\\[[^\\]]*\\]|.*)$`, 'm').exec(lines)?.[1];
  const textsOf = (key: string): readonly string[] | undefined => {
    const value = valueOf(key);
    return value === undefined ? undefined : [...value.matchAll(/["']([^"']*)["']/g)].flatMap(([, each]) => each ?? []);
  };
  const cdi = valueOf('enable_cdi')?.trim();
  const [confDir = '/etc/cni/net.d'] = (textsOf('conf_dir') ?? []).filter((each) => each !== '');
  const binDirs = [...(textsOf('bin_dirs') ?? textsOf('bin_dir') ?? [])].filter((each) => each !== '');
  return {
    confDir,
    binDirs: binDirs.length === 0 ? ['/opt/cni/bin'] : binDirs,
    cdi: cdi === 'true' || cdi === 'false' ? cdi === 'true' : undefined,
    cdiDirs: textsOf('cdi_spec_dirs'),
    from,
  };
}
