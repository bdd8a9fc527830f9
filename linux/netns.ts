/** Network namespaces: opening one named by a path, telling it apart from our own, and opening sockets inside it. */
import { constants, closeSync, existsSync, fstatSync, openSync, statSync, statfsSync } from 'node:fs';
import { dirname } from 'node:path';
import koffi from 'koffi';
import { BerthError, errnoOf } from '../kit/errors.ts';
import { SystemCallError, check, libc } from './libc.ts';

/** An open network namespace. It lives as long as the descriptor, also when its path has gone. */
export interface NetworkNamespace {
  readonly path: string;
  /** Device and inode of the nsfs file: equal exactly for the same namespace while it lives. */
  readonly identity: string;
  readonly fd: number;
  close(): void;
}

/** Access to network namespaces by path. */
export interface Namespaces {
  /**
   * Opens the namespace at an absolute path. Throws NOT_FOUND when nothing is there, INVALID_ARGUMENT when it is no
   * network namespace, FAILED_PRECONDITION when it is the one we run in.
   */
  open(path: string): NetworkNamespace;
  /** What is at a path now, without opening it. */
  look(path: string): NamespaceSighting;
}

/**
 * The identity of the namespace at a path; `gone` when nothing is there; `unseen` when we cannot know, because the
 * folder, or the mount over the file, is not visible to us: a container without the right mounts sees every pod so.
 */
export type NamespaceSighting = { readonly identity: string } | 'gone' | 'unseen';

// From the published kernel interface: linux/magic.h, linux/sched.h, linux/nsfs.h.
const nsfsMagic = 0x6e736673;
const cloneNewnet = 0x40000000;
const nsGetNstype = 0xb703;

const setns = libc('int setns(int fd, int nstype)');
const ioctl = libc('int ioctl(int fd, unsigned long request)');

// Namespaces belong to the thread: `/proc/self` is the process' first one, which need not be the caller's.
const ownPath = '/proc/thread-self/ns/net';

function identityOf(stat: { readonly dev: number; readonly ino: number }): string {
  return `${String(stat.dev)}:${String(stat.ino)}`;
}

function open(path: string): NetworkNamespace {
  const fd = openFile(path);
  try {
    // By descriptor, so that what was checked is what will be entered.
    if (statfsSync(`/proc/thread-self/fd/${String(fd)}`).type !== nsfsMagic || ioctl(fd, nsGetNstype) !== cloneNewnet)
      throw new BerthError('INVALID_ARGUMENT', `${path} is not a network namespace`);
    const identity = identityOf(fstatSync(fd));
    if (identity === identityOf(statSync(ownPath)))
      throw new BerthError('FAILED_PRECONDITION', `${path} is the node's own network namespace, not a pod's`);
    return {
      path,
      identity,
      fd,
      close: () => {
        closeSync(fd);
      },
    };
  } catch (error) {
    closeSync(fd);
    throw error;
  }
}

function openFile(path: string): number {
  try {
    // Without waiting: a pipe that nobody writes to would hold up the whole process.
    return openSync(path, constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOCTTY);
  } catch (error) {
    const code = errnoOf(error) ?? '';
    if (['ENOENT', 'ENOTDIR'].includes(code))
      throw new BerthError('NOT_FOUND', `there is no network namespace at ${path}`, { cause: error });
    if (['ENXIO', 'ELOOP', 'EACCES', 'ENAMETOOLONG', 'ENODEV'].includes(code))
      throw new BerthError('INVALID_ARGUMENT', `${path} is no network namespace (${code})`, { cause: error });
    throw error;
  }
}

function look(path: string): NamespaceSighting {
  try {
    return statfsSync(path).type === nsfsMagic ? { identity: identityOf(statSync(path)) } : 'unseen';
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return existsSync(dirname(path)) ? 'gone' : 'unseen';
    throw error;
  }
}

/** Access to the namespaces of this machine. */
export const namespaces: Namespaces = { open, look };

/**
 * Runs `work` with this thread inside the namespace, for calls that bind to it for good, such as socket(2). `work` must be
 * synchronous: while it runs, nothing else of this process does (design decision 3).
 */
export function inNamespace<T>(namespace: NetworkNamespace, work: () => T): T {
  const home = openSync(ownPath, 'r');
  try {
    check(setns(namespace.fd, cloneNewnet), 'setns', namespace.path);
    try {
      return work();
    } finally {
      // Everything after this line would act on a pod's network in the belief that it is the node's.
      if (setns(home, cloneNewnet) !== 0) abort(koffi.errno());
    }
  } finally {
    closeSync(home);
  }
}

function abort(errno: number): never {
  process.stderr.write(`${new SystemCallError('setns', errno, "back to the node's network namespace").message}\n`);
  process.abort();
}
