/** The `devices` section of the NodeConfig: which device nodes are offered to pods, and under which resource names. */
import { z } from 'zod';
import { resource } from './resource.ts';
import type { ResourceRule } from './resource.ts';
import { environmentPart } from './resourcename.ts';
import { absolutePath, pathGlob } from './text.ts';

/** Most units times replicas of one resource: their list stays well below the 4 MiB the kubelet takes. */
export const maxDevicesPerResource = 20_000;

/**
 * What is never offered unless a rule names it by its exact path: what is the node itself (memory, processors, firmware, keys,
 * consoles, the watchdog that resets it) and what makes or takes apart devices of others.
 */
const defaultDeny = [
  '/dev/mem',
  '/dev/kmem',
  '/dev/port',
  '/dev/cpu/*/*',
  '/dev/snapshot',
  '/dev/userfaultfd',
  '/dev/kmsg',
  '/dev/console',
  '/dev/tty',
  '/dev/tty[0-9]*',
  '/dev/ptmx',
  '/dev/vcs*',
  '/dev/hvc*',
  '/dev/uinput',
  '/dev/uhid',
  '/dev/tpm*',
  '/dev/ipmi*',
  '/dev/mei*',
  '/dev/mtd*',
  '/dev/autofs',
  '/dev/btrfs-control',
  '/dev/loop-control',
  '/dev/mapper/control',
  '/dev/nvme-fabrics',
  '/dev/cuse',
  '/dev/nvram',
  '/dev/watchdog*',
  '/dev/initctl',
];

export const resources = z
  .array(resource)
  .max(256)
  .superRefine((rules, context) => {
    const seen = new Map<string, string>();
    rules.forEach(({ name }, index) => {
      const earlier = seen.get(environmentPart(name));
      seen.set(environmentPart(name), name);
      if (earlier === undefined) return;
      const message =
        earlier === name
          ? `"${name}" is there twice; put all its devices into one resource`
          : `"${name}" and "${earlier}" give the same environment variables; rename one`;
      context.addIssue({ code: 'custom', path: [index, 'name'], message });
    });
  });

export const devicesSection = z
  .strictObject({
    devRoot: absolutePath
      .default('/dev')
      .describe("Where the agent sees the host's `/dev`. What containers get is always the host's own path."),
    sysRoot: absolutePath.default('/sys').describe('Where it sees sysfs.'),
    udevRoot: absolutePath.default('/run/udev').describe('Where it sees the udev database; it need not exist.'),
    cdiDir: absolutePath.default('/var/run/cdi').describe('Folder of CDI files that the container runtime reads.'),
    rulesDir: absolutePath
      .optional()
      .describe(
        'Folder of more resources: each `*.yaml` in it has the one key `resources`. Read again when it changes, without a restart; while it has a mistake the last good rules stay.',
      ),
    featuresDir: absolutePath
      .optional()
      .describe(
        'Folder `features.d` of Node Feature Discovery, for labels of the Node: `/etc/kubernetes/node-feature-discovery/features.d`.',
      ),
    registration: z
      .enum(['socket', 'watcher'])
      .default('socket')
      .describe("How resources are registered: through `kubelet.sock`, or by the kubelet's plugin watcher."),
    deny: z
      .array(pathGlob)
      .max(256)
      .default(defaultDeny)
      .describe(
        'Nodes that no pattern and no selector finds: a rule must name them by their exact path. So it is with disks that the node uses, by whichever of their nodes.',
      ),
    mountRoots: z
      .array(absolutePath)
      .max(16)
      .default([])
      .describe('Folders of the host below which `container.mounts` may be.'),
    resources: resources
      .default([])
      .describe('The resources this node offers. A device belongs to the first that finds it.'),
  })
  .superRefine(({ resources: rules, rulesDir, mountRoots }, context) => {
    if (rules.length === 0 && rulesDir === undefined)
      context.addIssue({ code: 'custom', path: ['resources'], message: 'must have a resource, or rulesDir be given' });
    for (const { at, message } of mountsOutside(rules, mountRoots))
      context.addIssue({ code: 'custom', path: ['resources', ...at], message });
  });

/** Mounts of rules that lie below none of the folders that the section allows. */
export function mountsOutside(
  rules: readonly ResourceRule[],
  roots: readonly string[],
): readonly { readonly at: readonly (string | number)[]; readonly message: string }[] {
  return rules.flatMap(({ container }, index) =>
    container.mounts.flatMap(({ hostPath }, mount) =>
      roots.some((root) => hostPath.startsWith(`${root}/`) || hostPath === root)
        ? []
        : [
            {
              at: [index, 'container', 'mounts', mount, 'hostPath'],
              message: `must be below one of devices.mountRoots (${roots.join(', ') || 'none'})`,
            },
          ],
    ),
  );
}

export type DevicesConfig = z.output<typeof devicesSection>;
