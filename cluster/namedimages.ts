/** Images that a cluster can be given by a short name, under the references their publishers use. */
import { existsSync, readFileSync } from 'node:fs';
import { BerthError } from '../kit/errors.ts';
import { ensurePrograms } from './build.ts';
import { runChecked } from './command.ts';
import { pauseImage } from './containerd.ts';
import { buildBinaryImage } from './image.ts';
import type { ProgramName } from './programs.ts';

interface BinaryImage {
  readonly ref: string;
  readonly program: ProgramName;
}

const sidecar = (program: ProgramName, version: string): BinaryImage => ({
  ref: `registry.k8s.io/sig-storage/${program}:${version}`,
  program,
});

const binaryImages = {
  pause: { ref: pauseImage, program: 'pause' },
  'csi-provisioner': sidecar('csi-provisioner', 'v6.3.0'),
  'csi-resizer': sidecar('csi-resizer', 'v2.3.0'),
  'csi-snapshotter': sidecar('csi-snapshotter', 'v8.7.0'),
  'snapshot-controller': sidecar('snapshot-controller', 'v8.7.0'),
  coredns: { ref: 'registry.k8s.io/coredns/coredns:v1.15.0', program: 'coredns' },
} as const satisfies Record<string, BinaryImage>;

const busyboxImage = 'docker.io/library/busybox:1.37';

export type ImageName = keyof typeof binaryImages | 'busybox';

export const imageNames: readonly ImageName[] = [...(Object.keys(binaryImages) as ImageName[]), 'busybox'];

/** The reference by which pods ask for a named image. */
export function imageReference(name: ImageName): string {
  return name === 'busybox' ? busyboxImage : binaryImages[name].ref;
}

/** Archives of the named images, building what is missing: their programs first, all together. */
export async function ensureImages(names: readonly ImageName[]): Promise<string[]> {
  const needed = names.filter((name) => name !== 'busybox').map((name) => binaryImages[name].program);
  const paths = await ensurePrograms(needed);
  return Promise.all(
    names.map((name) => {
      if (name === 'busybox') return buildBusyboxImage();
      const { ref, program } = binaryImages[name];
      const file = `/${program}`;
      return buildBinaryImage({
        ref,
        files: [{ path: file, source: paths[program], mode: 0o755 }],
        entrypoint: [file],
      });
    }),
  );
}

/** Debian's static busybox with a link for each of its commands. */
async function buildBusyboxImage(): Promise<string> {
  const source = ['/usr/bin/busybox', '/bin/busybox'].find((path) => existsSync(path));
  // A dynamically linked busybox names its loader; alone in an image it could not start.
  if (source === undefined || readFileSync(source).includes('/ld-linux')) {
    throw new BerthError('FAILED_PRECONDITION', 'no static busybox: install the Debian package busybox-static');
  }
  const commands = (await runChecked(source, ['--list'])).trim().split('\n');
  return buildBinaryImage({
    ref: busyboxImage,
    files: [
      { path: '/bin/busybox', source, mode: 0o755 },
      ...commands
        .filter((command) => command !== 'busybox')
        .map((command) => ({ path: `/bin/${command}`, symlink: 'busybox' })),
      { path: '/etc/passwd', content: 'root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/false\n' },
      { path: '/etc/group', content: 'root:x:0:\nnogroup:x:65534:\n' },
      { path: '/root', folder: true, mode: 0o700 },
      { path: '/tmp', folder: true, mode: 0o1777 },
      { path: '/var/www', folder: true },
    ],
    cmd: ['sh'],
  });
}
