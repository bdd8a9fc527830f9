/**
 * Path patterns below /dev: `*` any characters, `?` one, `[a-c]` and `[!a-c]` one of a set. A pattern never crosses a `/`
 * and a leading dot must be written out, as in a shell.
 */
import { brokenSet, matchesWildcards, parseWildcards } from './wildcards.ts';
import type { Wildcards } from './wildcards.ts';

/** One path segment: a plain name, or a pattern to match names of a directory with. */
export type Segment = Wildcards;

/** A parsed pattern; `segments` follow `/dev`. */
export interface PathGlob {
  readonly pattern: string;
  /** What every path begins with that it matches; the pattern itself where it has no wildcards. */
  readonly prefix: string;
  readonly segments: readonly Segment[];
}

/** Parses a pattern, or returns what is wrong with it as a sentence. */
export function parseGlob(pattern: string): PathGlob | string {
  if (!pattern.startsWith('/dev/')) return 'must begin with /dev/';
  if (/[\u0000-\u001f\u007f\\]/.test(pattern)) return 'must not contain control characters or "\\"';
  const segments: Segment[] = [];
  for (const part of pattern.slice('/dev/'.length).split('/')) {
    if (part === '' || part === '.' || part === '..') return 'must not contain empty segments, "." or ".."';
    if (part.includes('**')) return 'must not contain "**"; write one "*" for each level';
    const segment = parseWildcards(part);
    if (segment === undefined) return brokenSet;
    segments.push(segment);
  }
  return { pattern, prefix: pattern.split(/[*?[]/, 1).join(), segments };
}

/** Whether a pattern means one path only. */
export function isLiteral({ pattern, prefix }: PathGlob): boolean {
  return pattern === prefix;
}

/** Whether a segment matches a name. */
export function matchesSegment(segment: Segment, name: string): boolean {
  if (typeof segment !== 'string' && name.startsWith('.') && !segment.prefix.startsWith('.')) return false;
  return matchesWildcards(segment, name);
}

/** Whether a pattern matches an absolute path below /dev. */
export function matchesPath(glob: PathGlob, path: string): boolean {
  if (isLiteral(glob)) return path === glob.pattern;
  if (!path.startsWith(glob.prefix)) return false;
  const names = path.slice('/dev/'.length).split('/');
  return (
    names.length === glob.segments.length &&
    glob.segments.every((segment, index) => matchesSegment(segment, names[index] ?? ''))
  );
}
