/**
 * Kernels without what Berth needs. The machine's own cannot be changed, so what it tells of itself in /proc, /sys and /lib/modules is
 * hidden in a mount namespace, for the doctor alone.
 */
import { writeFileSync } from 'node:fs';
import { release } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Finding } from '../../agent/doctor/finding.ts';
import { makeDoctorPlace } from './doctorplace.ts';
import type { DoctorPlace } from './doctorplace.ts';

const features = [
  { id: 'kernel.nf-tables', option: 'NF_TABLES', module: 'nf_tables' },
  { id: 'kernel.nft-masquerade', option: 'NFT_MASQ', module: 'nft_masq' },
  { id: 'kernel.veth', option: 'VETH', module: 'veth' },
  { id: 'kernel.vxlan', option: 'VXLAN', module: 'vxlan' },
  { id: 'kernel.loop', option: 'BLK_DEV_LOOP', module: 'loop' },
  { id: 'kernel.xfs', option: 'XFS_FS', module: 'xfs' },
  { id: 'kernel.ext4', option: 'EXT4_FS', module: 'ext4' },
  { id: 'kernel.btrfs', option: 'BTRFS_FS', module: 'btrfs' },
] as const;
type Feature = (typeof features)[number];

/** What one test hides is gone with its namespaces. */
let place: DoctorPlace;
beforeEach(async () => {
  place = await makeDoctorPlace(
    (folder) => `network: {podCIDR: 10.244.1.0/24}
storage: {pools: [{name: a, path: ${folder}/a}, {name: b, engine: subvolume, path: ${folder}/b}]}
`,
  );
  const { folder, inside } = place;
  writeFileSync(join(folder, 'filesystems'), 'nodev\ttmpfs\n');
  const configs = { none: '', modules: features.map(({ option }) => `CONFIG_${option}=m\n`).join('') };
  for (const [name, text] of Object.entries(configs)) writeFileSync(join(folder, `${name}.gz`), gzipSync(text));
  writeFileSync(join(folder, 'modules.dep'), features.map(({ module }) => `kernel/${module}.ko.xz:\n`).join(''));
  inside(
    `mkdir ${folder}/lib && mount -t tmpfs berth-doctor ${folder}/lib && mkdir ${folder}/lib/up ${folder}/lib/work`,
  );
});
afterEach(() => place.close());

/** What no kernel of its own says any more: a module or a filesystem at work, and how it was built (`config` is one of the files). */
const hidden = (config: 'none' | 'modules'): string =>
  `mount -t tmpfs berth-doctor /sys/module
   mount --bind ${place.folder}/filesystems /proc/filesystems
   mount --bind ${place.folder}/${config}.gz /proc/config.gz`;
const shown = 'umount /proc/config.gz && umount /proc/filesystems && umount /sys/module';

/** The modules of this kernel are a folder of the place's own, which is empty. */
const withModules = (): string =>
  `mount -t overlay -o lowerdir=/usr/lib,upperdir=${place.folder}/lib/up,workdir=${place.folder}/lib/work overlay /usr/lib
   mkdir -p /usr/lib/modules/${release()}
   mount -t tmpfs berth-doctor /usr/lib/modules/${release()} && touch /usr/lib/modules/${release()}/modules.dep`;

/** Programs may no longer have modules loaded. */
const locked = `mount -t tmpfs berth-doctor /proc/sys/kernel
   echo ${release()} > /proc/sys/kernel/osrelease && echo 1 > /proc/sys/kernel/modules_disabled`;
const unlocked = 'umount /proc/sys/kernel';

interface Kernel {
  readonly how: string;
  readonly breaking: () => string;
  readonly says: (feature: Feature) => string;
  readonly fix: (feature: Feature) => string;
  /** What the fix comes to. */
  readonly mending: () => string;
}

const kernels: readonly Kernel[] = [
  {
    how: 'was built without',
    breaking: () => hidden('none'),
    says: ({ module }) => `the kernel was built without ${module}`,
    fix: () => 'boot a kernel that has it',
    mending: () => shown,
  },
  {
    how: 'has no package with',
    breaking: () => `${hidden('modules')}\n${withModules()}`,
    says: ({ module }) => `the module ${module} is not installed for the kernel ${release()}`,
    fix: ({ module }) => `linux-modules-extra-${release()}), then modprobe ${module}`,
    mending: () => `cp ${place.folder}/modules.dep /usr/lib/modules/${release()}/`,
  },
  {
    how: 'may not load any more',
    breaking: () =>
      `${hidden('modules')}\n${withModules()}\ncp ${place.folder}/modules.dep /usr/lib/modules/${release()}/\n${locked}`,
    says: ({ module }) => `${module} is not loaded, and the kernel loads no modules any more (kernel.modules_disabled)`,
    fix: ({ id, module }) => `echo ${module} > /etc/modules-load.d/berth-${id.slice(7)}.conf && reboot`,
    mending: () => unlocked,
  },
];

const each = (found: ReadonlyMap<string, Finding>): readonly (Finding | undefined)[] =>
  features.map(({ id }) => found.get(id));

describe('a node whose kernel', () => {
  test.each(kernels)('$how what Berth needs says so of each, until it has it', ({ breaking, says, fix, mending }) => {
    place.inside(`set -e; ${breaking()}`);
    const ill = each(place.look());
    expect(ill.map((finding) => finding?.severity)).toEqual(features.map(() => 'failure'));
    expect(ill.map((finding) => finding?.message)).toEqual(features.map(says));
    for (const [index, feature] of features.entries()) expect(ill[index]?.fix).toContain(fix(feature));
    place.inside(mending());
    expect(each(place.look()).map((finding) => finding?.severity)).toEqual(features.map(() => 'pass'));
  });

  test('is older than Berth’s oldest says so: kernel.version', () => {
    const { folder, inside, finding } = place;
    const file = '/proc/sys/kernel/osrelease';
    writeFileSync(join(folder, 'osrelease'), '5.10.0-35-amd64\n');
    inside(`mount --bind ${folder}/osrelease ${file}`);
    const message = 'Linux 5.10.0-35-amd64 is older than 5.12';
    expect(finding('kernel.version')).toMatchObject({ severity: 'failure', message, fix: 'boot a newer kernel' });
    inside(`umount ${file}`);
    expect(finding('kernel.version')).toMatchObject({ severity: 'pass', message: `Linux ${release()}` });
  });
});
