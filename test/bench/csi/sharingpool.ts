/** A filesystem that shares bytes between files, in a file: the machine's own disk may be one that does not. */
import { execFileSync } from 'node:child_process';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';

/**
 * Mounts it and returns where. The mount ends with the namespace, the device with the run. Its file is written first: a hole would be
 * allocated by whoever writes there before the others.
 */
export async function makeSharingPool(work: string, gibibytes: number): Promise<string> {
  const [file, path] = [join(work, 'sharing.img'), join(work, 'x')];
  await mkdir(path);
  const run = (program: string, ...args: string[]): string => execFileSync(program, args, { encoding: 'utf8' }).trim();
  run('dd', 'if=/dev/zero', `of=${file}`, 'bs=4M', `count=${gibibytes * 256}`, 'oflag=direct', 'status=none');
  run('mkfs.xfs', '-q', '-K', '-s', 'size=4096', file);
  const device = run('losetup', '--find', '--show', '--direct-io=on', '--sector-size', '4096', file);
  run('mount', '-t', 'xfs', device, path);
  return path;
}
