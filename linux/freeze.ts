/** Stops the writers of a mounted filesystem for a moment: FIFREEZE and FITHAW. */
import { libcAsync, SystemCallError } from './libc.ts';
import { withMountedFolder } from './mountedfolder.ts';
import type { MountPlace } from './mountedfolder.ts';

const FIFREEZE = 0xc0045877;
const FITHAW = 0xc0045878;

// On a worker thread: a freeze first writes back everything.
const request = libcAsync('int ioctl(int fd, unsigned long request, long argument)');

/** Makes the request and says whether it changed anything; `already` is what the kernel says when nothing was to do. */
async function change(mount: MountPlace, code: number, name: string, already: string): Promise<boolean> {
  return await withMountedFolder(mount, async (folder) => {
    const { result, errno } = await request(folder.fd, code, 0);
    if (result >= 0) return true;
    const failure = new SystemCallError(name, errno, mount.mountPoint);
    if (failure.code !== already) throw failure;
    return false;
  });
}

/** See `Filesystems.freeze`. */
export function freeze(mount: MountPlace): Promise<boolean> {
  return change(mount, FIFREEZE, 'FIFREEZE', 'EBUSY');
}

/** See `Filesystems.thaw`. */
export function thaw(mount: MountPlace): Promise<boolean> {
  return change(mount, FITHAW, 'FITHAW', 'EINVAL');
}
