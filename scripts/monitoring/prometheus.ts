/**
 * Prometheus and promtool of Debian's package, unpacked into the cache: installed, the package would start a server on the machine.
 */
import { existsSync } from 'node:fs';
import { mkdir, readdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { cacheFolder } from '../../cluster/cache.ts';
import { run, runChecked } from '../../cluster/command.ts';
import { withLockFile } from '../../cluster/lockfile.ts';

/** Paths of the two programs. */
export interface Prometheus {
  readonly prometheus: string;
  readonly promtool: string;
}

/** Gets them where they are not there yet. Errors: INTERNAL with what apt-get said. */
export async function ensurePrometheus(): Promise<Prometheus> {
  const folder = join(cacheFolder(), 'prometheus');
  const lock = join(cacheFolder(), 'prometheus.lock');
  await withLockFile(
    lock,
    () => undefined,
    async () => {
      if (existsSync(folder)) return;
      process.stderr.write('Getting the Debian package prometheus (once)\n');
      const unfinished = `${folder}.new`;
      await rm(unfinished, { recursive: true, force: true });
      await mkdir(unfinished, { recursive: true });
      const download = ['-o', 'APT::Sandbox::User=root', 'download', 'prometheus'];
      const { code } = await run('apt-get', download, { cwd: unfinished });
      if (code !== 0) {
        // A machine that has never asked what there is.
        await runChecked('apt-get', ['update']);
        await runChecked('apt-get', download, { cwd: unfinished });
      }
      const [archive = ''] = (await readdir(unfinished)).filter((name) => name.endsWith('.deb'));
      await runChecked('dpkg-deb', ['--extract', archive, '.'], { cwd: unfinished });
      await rm(join(unfinished, archive));
      await rename(unfinished, folder);
    },
  );
  const bin = join(folder, 'usr/bin');
  return { prometheus: join(bin, 'prometheus'), promtool: join(bin, 'promtool') };
}
