/** A filesystem that shares bytes between files, in a sparse file: the machine's own disk may be one that does not. */
import { execFileSync } from 'node:child_process';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';

/** Mounts it and returns where. The mount ends with the namespace, the device with the run. */
export async function makeSharingPool(work: string, gibibytes: number): Promise<string> {
  const [file, path] = [join(work, 'sharing.img'), join(work, 'x')];
  await mkdir(path);
  const run = (program: string, ...args: string[]): string => execFileSync(program, args, { encoding: 'utf8' }).trim();
  run('truncate', '-s', `${gibibytes}G`, file);
  run('mkfs.xfs', '-q', '-s', 'size=4096', file);
  const device = run('losetup', '--find', '--show', '--direct-io=on', '--sector-size', '4096', file);
  run('mount', '-t', 'xfs', device, path);
  return path;
}
