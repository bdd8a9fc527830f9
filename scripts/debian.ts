/** Debian in a folder or a file, from packages, on machines without a registry: what is common to all that is made of it. */
import { createHash } from 'node:crypto';
import { run } from '../cluster/command.ts';

export const debianRelease = 'trixie';

/** What a slim Debian leaves out: nobody reads manuals in a container. Licences stay. */
export const slimOptions = [
  ...['doc', 'man', 'info', 'locale', 'lintian', 'linda'].map(
    (folder) => `--dpkgopt=path-exclude=/usr/share/${folder}/*`,
  ),
  '--dpkgopt=path-include=/usr/share/doc/*/copyright',
];

/** The Debian mirror this machine is set to use, where it is not the usual one. */
export async function otherMirror(): Promise<readonly string[]> {
  const answer = await run('apt-get', ['indextargets', '--format', '$(REPO_URI)', 'Origin: Debian', 'Label: Debian']);
  const mirror = answer.stdout.split('\n').find((line) => /^https?:/.test(line));
  return mirror === undefined || /^https?:\/\/deb\.debian\.org\//.test(mirror) ? [] : [mirror];
}

/** A short name for what is made of these. */
export function shortHash(...parts: readonly string[]): string {
  return createHash('sha256').update(JSON.stringify(parts)).digest('hex').slice(0, 12);
}
