/** Changes one option of a mounted filesystem and leaves all else as it is, which a remount does not promise. */
import { check, libc, libcAsync } from './libc.ts';

const pick = libc('long syscall(long number, int folder, const char *path, unsigned int flags)');
const configure = libcAsync(
  'long syscall(long number, int context, unsigned int command, const char *key, const char *value, int extra)',
);
const closeCall = libc('int close(int fd)');

// Calls newer than 5.1 have one number on every architecture (asm-generic/unistd.h).
const FSCONFIG = 431;
const FSPICK = 433;
const AT_FDCWD = -100;
const FSPICK_CLOEXEC = 1;
const FSPICK_SYMLINK_NOFOLLOW = 2;
const SET_STRING = 1;
const RECONFIGURE = 7;

/** `mountPoint` is one of the filesystem's. Throws SystemCallError; EINVAL also for an option that it does not know. Needs CAP_SYS_ADMIN. */
export async function reconfigure(mountPoint: string, option: string, value: string): Promise<void> {
  const context = check(
    pick(FSPICK, AT_FDCWD, mountPoint, FSPICK_CLOEXEC | FSPICK_SYMLINK_NOFOLLOW),
    'fspick',
    mountPoint,
  );
  try {
    const set = await configure(FSCONFIG, context, SET_STRING, option, value, 0);
    check(set.result, 'fsconfig', `${option}=${value}`, set.errno);
    const done = await configure(FSCONFIG, context, RECONFIGURE, null, null, 0);
    check(done.result, 'fsconfig', mountPoint, done.errno);
  } finally {
    closeCall(context);
  }
}
