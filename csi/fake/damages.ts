/** What disks, copies and people leave in place of a file. */
import { execFileSync } from 'node:child_process';
import { mkdir, rm, symlink, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

type Damage = (path: string) => Promise<unknown>;
/** What is in place of a file instead of it. */
export const damages: Readonly<Record<string, Damage>> = {
  'random bytes': (path) => writeFile(path, crypto.getRandomValues(new Uint8Array(700))),
  nothing: (path) => truncate(path, 0),
  'JSON that is no record': (path) => writeFile(path, '{"format":2}'),
  'a link to nowhere': (path) => rm(path).then(() => symlink('nowhere', path)),
  'a link to itself': (path) => rm(path).then(() => symlink(path, path)),
  'a link to a folder': (path) => rm(path).then(() => symlink('/', path)),
  'a folder': (path) => rm(path).then(() => mkdir(join(path, 'in'), { recursive: true })),
  'a FIFO': (path) => rm(path).then(() => execFileSync('mkfifo', [path])),
  '2 MiB of text': (path) => writeFile(path, 'x'.repeat(2 << 20)),
};

/** What may lie where nothing was. */
export const strange: Readonly<Record<string, Damage>> = {
  'an empty file': (path) => writeFile(path, ''),
  'a link to nowhere': (path) => symlink('nowhere', path),
  'a folder': (path) => mkdir(join(path, 'in'), { recursive: true }),
  'a FIFO': (path) => Promise.resolve(execFileSync('mkfifo', [path])),
  '2 MiB of text': (path) => writeFile(path, 'x'.repeat(2 << 20)),
};
