/** Puts pieces together to an archive of bounded size, with a list of what is in it and what is not. Pure. */
import { gzipSync } from 'node:zlib';
import { createTar } from '../../../kit/tar.ts';
import type { TarEntry } from '../../../kit/tar.ts';

/** What became of a piece. */
export type Collected =
  | { readonly path: string; readonly text: string; readonly cut?: boolean }
  | { readonly path: string; readonly failure: string };

export interface Archive {
  readonly bytes: Buffer;
  /** How many files are in it. */
  readonly files: number;
  /** Sentences about what is not. */
  readonly missing: readonly string[];
}

/** `mostBytes` of text in all; what comes when that is reached is left out, and told. */
export function archiveOf(folder: string, collected: readonly Collected[], mostBytes: number): Archive {
  const missing: string[] = [];
  const entries: TarEntry[] = [];
  let room = mostBytes;
  for (const each of collected) {
    if ('failure' in each) {
      missing.push(`${each.path}: ${each.failure}`);
      continue;
    }
    const content = Buffer.from(each.text);
    if (content.length > room) {
      missing.push(`${each.path}: left out, because the archive would be larger than ${mostBytes} bytes`);
      continue;
    }
    room -= content.length;
    if (each.cut === true) missing.push(`${each.path}: only its beginning`);
    entries.push({ path: `${folder}/${each.path}`, type: 'file', content, mode: 0o600 });
  }
  const index = [
    'Support archive of Berth. Secrets are never asked for; tokens, keys and passwords elsewhere are replaced by <redacted>.',
    '',
    ...entries.map(({ path }) => path.slice(folder.length + 1)),
    '',
    missing.length === 0 ? 'Nothing is missing.' : 'Missing:',
    ...missing,
    '',
  ].join('\n');
  const first: TarEntry = { path: `${folder}/INDEX.txt`, type: 'file', content: Buffer.from(index), mode: 0o600 };
  return { bytes: gzipSync(createTar([first, ...entries])), files: entries.length, missing };
}
