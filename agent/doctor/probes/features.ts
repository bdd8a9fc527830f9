/** Probes for what the kernel has to have been built with: as modules, or built in. */
import { join } from 'node:path';
import { promisify } from 'node:util';
import { gunzip } from 'node:zlib';
import { readFile } from 'node:fs/promises';
import type { NodeConfig } from '../../nodeconfig.ts';
import { onHost } from '../context.ts';
import type { DoctorContext } from '../context.ts';
import { failure, pass, unknown } from '../finding.ts';
import type { Verdict } from '../finding.ts';
import { probe } from '../probe.ts';
import type { Probe } from '../probe.ts';
import { listFolder, readText } from '../reading.ts';

interface Feature {
  readonly name: string;
  /** Of the kernel's configuration, without CONFIG_. */
  readonly option: string;
  readonly module: string;
  readonly isFilesystem?: true;
  readonly why: string;
  needed(config: NodeConfig): boolean;
}

const hasEngine =
  (...engines: readonly string[]) =>
  ({ storage }: NodeConfig): boolean =>
    storage?.pools.some(({ engine }) => engines.includes(engine)) === true;

const hasNetwork = ({ network }: NodeConfig): boolean => network !== undefined;

const features: readonly Feature[] = [
  {
    name: 'nf-tables',
    option: 'NF_TABLES',
    module: 'nf_tables',
    why: 'The node masquerades pods and forwards host ports with one nftables table.',
    needed: hasNetwork,
  },
  {
    name: 'nft-masquerade',
    option: 'NFT_MASQ',
    module: 'nft_masq',
    why: "Pods reach the world outside with the node's address.",
    needed: ({ network }) => network?.masquerade === true,
  },
  {
    name: 'veth',
    option: 'VETH',
    module: 'veth',
    why: 'Each pod has a veth pair.',
    needed: hasNetwork,
  },
  {
    name: 'vxlan',
    option: 'VXLAN',
    module: 'vxlan',
    why: 'Pods of nodes behind a router are reached through a VXLAN tunnel (`network.betweenNodes.mode`: auto or vxlan).',
    needed: ({ network }) => network !== undefined && ['auto', 'vxlan'].includes(network.betweenNodes.mode),
  },
  {
    name: 'loop',
    option: 'BLK_DEV_LOOP',
    module: 'loop',
    why: 'Volumes of the engine `image` are files on loop devices.',
    needed: hasEngine('image'),
  },
  {
    name: 'xfs',
    option: 'XFS_FS',
    module: 'xfs',
    isFilesystem: true,
    why: 'Volumes of the engine `image` with xfs cannot be mounted without it.',
    needed: hasEngine('image'),
  },
  {
    name: 'ext4',
    option: 'EXT4_FS',
    module: 'ext4',
    isFilesystem: true,
    why: 'Volumes of the engine `image` with ext4 cannot be mounted without it.',
    needed: hasEngine('image'),
  },
  {
    name: 'btrfs',
    option: 'BTRFS_FS',
    module: 'btrfs',
    isFilesystem: true,
    why: 'Pools of the engine `subvolume` lie on btrfs.',
    needed: hasEngine('subvolume'),
  },
];

/** What is known of a feature; built-in ones mostly have no folder below /sys/module. */
interface FeatureSnapshot {
  readonly release: string;
  /** Where it was seen at work, if it was. */
  readonly seen: string | undefined;
  /** What the kernel's configuration says: `y`, `m`, `n` (also: not named); undefined where that cannot be read. */
  readonly built: { readonly as: 'y' | 'm' | 'n'; readonly from: string } | undefined;
  /** What the list of modules says; undefined where there is none, as in a container. */
  readonly listed: { readonly as: 'built-in' | 'module' | 'none'; readonly from: string } | undefined;
  /** kernel.modules_disabled. */
  readonly loadingOff: boolean;
}

async function readFeature(context: DoctorContext, feature: Feature): Promise<FeatureSnapshot> {
  const { roots } = context;
  const release = (await readText(join(roots.proc, 'sys/kernel/osrelease'))) ?? '';
  const seen = await seenAt(context, feature);
  const loadingOff = (await readText(join(roots.proc, 'sys/kernel/modules_disabled'))) === '1';
  const nothing = { release, seen, built: undefined, listed: undefined, loadingOff };
  if (seen !== undefined || !/^[\w.+~-]+$/.test(release)) return nothing;
  const folder = onHost(context, `/lib/modules/${release}`);
  const read = async (name: string): Promise<string | undefined> =>
    await context.once(name, () => readText(join(folder, name)));
  const [dependencies, builtIn] = [await read('modules.dep'), await read('modules.builtin')];
  const has = (text = ''): boolean => new RegExp(`/${feature.module}\\.ko`).test(text.replaceAll('-', '_'));
  const as = has(builtIn) ? 'built-in' : has(dependencies) ? 'module' : 'none';
  const config = await context.once('kernel config', () => kernelConfig(context, release));
  return {
    ...nothing,
    listed: dependencies === undefined ? undefined : { as, from: folder },
    built: config && { as: builtAs(config.text, feature.option), from: config.from },
  };
}

async function seenAt(context: DoctorContext, feature: Feature): Promise<string | undefined> {
  const { sys, proc } = context.roots;
  if (feature.isFilesystem === true) {
    const file = join(proc, 'filesystems');
    const known = (await context.once(file, () => readText(file))) ?? '';
    return known.split(/\s+/).includes(feature.module) ? file : undefined;
  }
  const modules = await context.once('modules', () => listFolder(join(sys, 'module')));
  return modules?.includes(feature.module) === true ? join(sys, 'module', feature.module) : undefined;
}

async function kernelConfig(
  { roots }: DoctorContext,
  release: string,
): Promise<{ readonly text: string; readonly from: string } | undefined> {
  const packed = join(roots.proc, 'config.gz');
  const bytes = await readFile(packed).catch(() => undefined);
  if (bytes !== undefined) return { text: (await promisify(gunzip)(bytes)).toString('latin1'), from: packed };
  for (const path of [`/boot/config-${release}`, `/lib/modules/${release}/config`]) {
    const from = onHost({ roots }, path);
    const text = await readText(from);
    if (text !== undefined) return { text, from };
  }
  return undefined;
}

function builtAs(config: string, option: string): 'y' | 'm' | 'n' {
  const found = new RegExp(`^CONFIG_${option}=([ym])$`, 'm').exec(config)?.[1];
  return found === 'y' || found === 'm' ? found : 'n';
}

/** Pure. What the kernel loads by itself when it is first used is no fault. */
function judgeFeature({ name, module, option }: Feature, snapshot: FeatureSnapshot): Verdict {
  const { seen, built, listed, loadingOff, release } = snapshot;
  if (seen !== undefined) return pass(`the kernel has ${module}`, { what: module, from: seen });
  const evidence = [
    ...(built === undefined ? [] : [{ what: `CONFIG_${option}=${built.as}`, from: built.from }]),
    ...(listed === undefined ? [] : [{ what: `${module}: ${listed.as}`, from: listed.from }]),
  ];
  const isModule = built?.as === 'm' || listed?.as === 'module';
  if (built?.as === 'y' || listed?.as === 'built-in') return pass(`${module} is built into the kernel`, ...evidence);
  if (listed?.as === 'none' && (built === undefined || isModule))
    return failure(
      `the module ${module} is not installed for the kernel ${release}`,
      `install the package with further modules of this kernel (Ubuntu: apt-get install linux-modules-extra-${release}), then modprobe ${module}`,
      ...evidence,
    );
  if (built?.as === 'n')
    return failure(`the kernel was built without ${module}`, 'boot a kernel that has it', ...evidence);
  if (isModule && loadingOff)
    return failure(
      `${module} is not loaded, and the kernel loads no modules any more (kernel.modules_disabled)`,
      `echo ${module} > /etc/modules-load.d/berth-${name}.conf && reboot`,
      ...evidence,
    );
  if (isModule) return pass(`${module} is a module, which the kernel loads when it is first used`, ...evidence);
  return unknown(
    `neither the kernel's configuration nor its list of modules can be read here, and ${module} was not used yet`,
    `modprobe ${module}`,
    ...evidence,
  );
}

export const featureProbes: readonly Probe[] = features.map((feature) =>
  probe({
    id: `kernel.${feature.name}`,
    title: `the kernel has ${feature.module}`,
    why: `${feature.why} What is built into the kernel has no module, and what is a module is loaded when it is first used.`,
    mend: `\`modprobe ${feature.module}\` where it is a module that is not loaded by itself; else another kernel, or the package with the further modules of this one.`,
    of: (config) => (feature.needed(config) ? feature : undefined),
    read: readFeature,
    judge: (snapshot) => judgeFeature(feature, snapshot),
  }),
);
