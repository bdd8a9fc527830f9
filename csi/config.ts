/** The `storage` section of the NodeConfig: the driver's name and the pool its volumes live in. */
import { normalize } from 'node:path';
import { z } from 'zod';
import { parseDuration } from './duration.ts';
import { parseQuantity } from './quantity.ts';
import { engineKinds } from './volume.ts';

const absolutePath = z
  .string()
  .refine((path) => path.startsWith('/') && path !== '/' && normalize(path) === path && !path.endsWith('/'), {
    error: 'expected an absolute path without "..", doubled or trailing slashes, and not "/" itself',
  })
  .meta({ title: 'absolute path' });

const quantity = z
  .union([z.string(), z.int()])
  .meta({ title: 'size such as `10Gi`' })
  .transform((value, context) => {
    const bytes = parseQuantity(String(value));
    if (bytes !== undefined && bytes > 0n) return bytes;
    context.addIssue({
      code: 'custom',
      message: 'expected a size such as "500Mi", "10Gi" or a number of bytes above 0',
    });
    return z.NEVER;
  });

/** Longer than anybody keeps what he deleted, and within what a Date can tell. */
const longestRetentionMs = 3650 * 86_400_000;

const retention = z
  .union([z.string(), z.int()])
  .meta({ title: 'duration such as `24h`' })
  .transform((value, context) => {
    const ms = parseDuration(String(value));
    if (ms !== undefined && ms <= longestRetentionMs) return ms;
    context.addIssue({ code: 'custom', message: 'expected a duration such as "24h", "7d" or "1h30m", or 0' });
    return z.NEVER;
  });

const pool = z.strictObject({
  name: z
    .string()
    .regex(/^[a-z0-9]([-a-z0-9]{0,30}[a-z0-9])?$/, {
      error: 'expected 1 to 32 lower-case letters, digits and hyphens, beginning and ending with a letter or digit',
    })
    .describe('What a StorageClass names in its parameter `pool`.'),
  engine: z
    .enum(engineKinds)
    .default('image')
    .describe(
      'How volumes are kept: `image` (files on loop devices, on any filesystem), `subvolume` (the path lies on btrfs) or `tmpfs` (memory: contents end with the boot).',
    ),
  path: absolutePath.describe('A folder, best a filesystem of its own. It is made when it is missing.'),
  capacity: quantity
    .optional()
    .describe(
      'The most that volumes of this pool may take together. Without it: what the filesystem has, less a reserve of 1 % (16 MiB to 1 GiB). Required for `tmpfs`.',
    ),
  overcommit: z
    .number()
    .min(1)
    .max(100)
    .default(1)
    .describe(
      'How many times its space thin volumes (parameter `provisioning: thin`) may have together. 1: all of it is kept for them. Above 1 they can run out of space together.',
    ),
  thinWatermark: z
    .int()
    .min(1)
    .max(100)
    .default(85)
    .describe(
      'With `overcommit` above 1: the used percent of the filesystem above which no more thin volumes are made.',
    ),
  trashRetention: retention
    .default(0)
    .describe(
      'How long the bytes of deleted volumes and snapshots stay, for `berth undelete`; sooner freed, the oldest first, where a new volume needs the space. 0: freed at once. Not for `tmpfs`.',
    ),
});

const ephemeral = z
  .strictObject({
    enabled: z
      .boolean()
      .default(false)
      .describe(
        'Whether pods may define volumes in their own specification. The CSIDriver has to list `Ephemeral` too.',
      ),
    maxSize: quantity.prefault('1Gi').describe('The largest such volume.'),
  })
  .prefault({})
  .describe(
    'Inline ephemeral volumes (`volumes[].csi` of a pod). Generic ephemeral volumes (`volumes[].ephemeral`) need nothing of this and are scheduled by capacity.',
  );

/** How much of volumes' health is told over CSI. */
const healthModes = ['condition', 'full', 'none'] as const;
export type HealthMode = (typeof healthModes)[number];

export const storageSchema = z.strictObject({
  driverName: z
    .string()
    .max(63, { error: 'expected at most 63 characters' })
    .regex(/^[a-z]([-a-z0-9.]*[a-z])?$/, {
      error:
        'expected a domain-like name of lower-case letters, digits, hyphens and dots that begins and ends with a letter',
    })
    .default('csi.berth.dev')
    .describe('The name of the CSIDriver and the provisioner of StorageClasses.'),
  pools: z
    .array(pool)
    .min(1, { error: 'expected a pool' })
    .max(64, { error: 'expected at most 64 pools' })
    .refine((pools) => new Set(pools.map(({ name }) => name)).size === pools.length, {
      error: 'expected pools with different names',
    })
    .refine((pools) => new Set(pools.map(({ path }) => path)).size === pools.length, {
      error: 'expected pools with different paths',
    })
    .refine((pools) => pools.every(({ engine, capacity }) => engine !== 'tmpfs' || capacity !== undefined), {
      error: 'expected a capacity for a tmpfs pool: it is how much of the memory its volumes may take together',
    })
    .refine((pools) => pools.every(({ engine, trashRetention }) => engine !== 'tmpfs' || trashRetention === 0), {
      error: 'expected no trashRetention for a tmpfs pool: memory of deleted volumes is given back at once',
    })
    .prefault([{ name: 'default', path: '/var/lib/berth/pools/default' }])
    .describe(
      'The pools of this node. Where a StorageClass names none, the first that can make the volume and has room. Without them: one called `default` in `/var/lib/berth/pools/default`.',
    ),
  runDir: absolutePath
    .default('/run/berth/storage')
    .describe('Where the arguments of stagings are kept; must not survive a reboot, as the mounts do not (tmpfs).'),
  ephemeral,
  central: z
    .boolean()
    .default(false)
    .describe(
      'Whether the controller call to grow volumes is offered. csi-resizer has no mode for node-local drivers: on for a cluster of one node, off for more (volumes then grow on their node while a pod uses them).',
    ),
  health: z
    .enum(healthModes)
    .default('condition')
    .describe(
      'How the health of volumes is told: `condition` (a flag and a text beside the figures of a volume, CSI 1.12), `full` (also the calls of CSI 1.13, whose capabilities older clients may refuse) or `none`. The log and the metrics tell it in any case.',
    ),
  maxVolumes: z
    .int()
    .min(1)
    .max(100_000)
    .default(1024)
    .describe('How many volumes the scheduler may put on this node.'),
});

export type StorageConfig = z.output<typeof storageSchema>;
export type PoolConfig = StorageConfig['pools'][number];
