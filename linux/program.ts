/**
 * Runs a program of the system (mkfs, fsck) by posix_spawn(3). Node forks instead: the copied page tables of a process
 * of 100 MB cost 8 ms, as much as mkfs.xfs itself. No shell, nothing of the caller's environment.
 */
import { closeSync } from 'node:fs';
import { Socket } from 'node:net';
import { check, libc, libcAsync, SystemCallError } from './libc.ts';

export interface ProgramResult {
  /** The exit code, or undefined when a signal ended it: also when its time was over. */
  readonly code: number | undefined;
  readonly signal: number | undefined;
  /** The last of what it wrote to standard output and standard error. */
  readonly output: string;
}

/** Where Debian, Alpine and Fedora keep them. */
const folders = ['/usr/sbin', '/sbin', '/usr/bin', '/bin'];
const environment = [`PATH=${folders.join(':')}`, 'LC_ALL=C', null];
const maxOutput = 64 * 1024;

const pipe = libc('int pipe2(void *fds, int flags)');
const actionsInit = libc('int posix_spawn_file_actions_init(void *actions)');
const addOpen = libc(
  'int posix_spawn_file_actions_addopen(void *actions, int fd, const char *path, int flags, int mode)',
);
const addDup = libc('int posix_spawn_file_actions_adddup2(void *actions, int fd, int newFd)');
const actionsDestroy = libc('int posix_spawn_file_actions_destroy(void *actions)');
const attributesInit = libc('int posix_spawnattr_init(void *attributes)');
const setFlags = libc('int posix_spawnattr_setflags(void *attributes, short flags)');
const setDefaults = libc('int posix_spawnattr_setsigdefault(void *attributes, void *signals)');
const spawnCall = libcAsync(
  'int posix_spawn(void *pid, const char *path, void *actions, void *attributes, const char **argv, const char **env)',
);
const waitCall = libcAsync('int waitpid(int pid, void *status, int options)');

const waitNow = libc('int waitpid(int pid, void *status, int options)');
const WNOHANG = 1;

const O_CLOEXEC = 0o2000000;
const ENOENT = 2;
/** SETPGROUP, SETSIGDEF and SETSIGMASK of spawn.h: a group of its own, and signals as a new process has them. */
const spawnFlags = 0x02 | 0x04 | 0x08;
/** More than posix_spawn_file_actions_t (80 bytes) and posix_spawnattr_t (336) have. */
const opaqueSize = 1024;
const signalSetSize = 128;

/** Starts `file` and returns its process ID; undefined when there is no such file. */
async function spawn(file: string, argv: readonly string[], actions: Buffer): Promise<number | undefined> {
  const [attributes, pid] = [Buffer.alloc(opaqueSize), Buffer.alloc(4)];
  attributesInit(attributes);
  setFlags(attributes, spawnFlags);
  setDefaults(attributes, Buffer.alloc(signalSetSize, 0xff));
  // It says the error by its result.
  const { result: errno } = await spawnCall(pid, file, actions, attributes, [...argv, null], environment);
  if (errno === ENOENT) return undefined;
  check(-errno, 'posix_spawn', file, errno);
  return pid.readInt32LE();
}

/** Standard input is empty, both outputs go to `fd`. */
async function spawnWriting(program: string, args: readonly string[], fd: number): Promise<number> {
  const actions = Buffer.alloc(opaqueSize);
  actionsInit(actions);
  try {
    addOpen(actions, 0, '/dev/null', 0, 0);
    addDup(actions, fd, 1);
    addDup(actions, fd, 2);
    for (const folder of folders) {
      const pid = await spawn(`${folder}/${program}`, [program, ...args], actions);
      if (pid !== undefined) return pid;
    }
    throw new SystemCallError('posix_spawn', ENOENT, program);
  } finally {
    actionsDestroy(actions);
  }
}

/** Everything written until the last writer has closed, of which the end is kept. */
async function readToEnd(fd: number): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  const { promise, resolve } = Promise.withResolvers<undefined>();
  // A socket, because its reading waits in the event loop and not on a thread.
  new Socket({ fd, readable: true, writable: false })
    .on('data', (chunk: Buffer) => {
      chunks.push(chunk);
      bytes += chunk.length;
      while (bytes - (chunks[0]?.length ?? 0) >= maxOutput) bytes -= chunks.shift()?.length ?? 0;
    })
    .on('error', () => undefined)
    .on('close', () => {
      resolve(undefined);
    });
  await promise;
  return Buffer.concat(chunks).subarray(-maxOutput).toString();
}

/**
 * Runs `program`, a name without a folder, to its end. It and its children are killed after `timeoutMs`. Throws
 * SystemCallError ENOENT when it is in none of the system's folders.
 */
export async function runProgram(
  program: string,
  args: readonly string[],
  { timeoutMs }: { readonly timeoutMs: number },
): Promise<ProgramResult> {
  const ends = Buffer.alloc(8);
  check(pipe(ends, O_CLOEXEC), 'pipe2', program);
  const [readEnd, writeEnd] = [ends.readInt32LE(0), ends.readInt32LE(4)];
  let pid: number;
  try {
    pid = await spawnWriting(program, args, writeEnd);
  } catch (error) {
    closeSync(readEnd);
    throw error;
  } finally {
    closeSync(writeEnd);
  }
  // Its ID is nobody else's until waitpid has returned.
  const timer = setTimeout(() => {
    process.kill(-pid, 'SIGKILL');
  }, timeoutMs);
  try {
    const output = await readToEnd(readEnd);
    const status = Buffer.alloc(4);
    // It closes its outputs when it ends: mostly it has by now, and no thread need wait for it.
    if (check(waitNow(pid, status, WNOHANG), 'waitpid', program) === 0) {
      const { result, errno } = await waitCall(pid, status, 0);
      check(result, 'waitpid', program, errno);
    }
    const word = status.readInt32LE();
    const signal = word & 0x7f;
    return signal === 0 ? { code: (word >> 8) & 0xff, signal: undefined, output } : { code: undefined, signal, output };
  } finally {
    clearTimeout(timer);
  }
}
