/**
 * Path patterns below /dev: `*` any characters, `?` one, `[a-c]` and `[!a-c]` one of a set. A pattern never crosses a `/`
 * and a leading dot must be written out, as in a shell.
 */

type Token =
  | { readonly kind: 'star' | 'any' }
  | { readonly kind: 'literal'; readonly character: string }
  | { readonly kind: 'set'; readonly negated: boolean; readonly ranges: readonly (readonly [string, string])[] };

/** One path segment: a plain name, or tokens to match names of a directory with. */
export type Segment = string | readonly Token[];

/** A parsed pattern; `segments` follow `/dev`. */
export interface PathGlob {
  readonly pattern: string;
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
    const segment = /[*?[\]]/.test(part) ? parseSegment(part) : part;
    if (segment === undefined) return 'has a "[" without its "]", an empty "[]", or a "]" alone';
    segments.push(segment);
  }
  return { pattern, segments };
}

function parseSegment(text: string): readonly Token[] | undefined {
  const tokens: Token[] = [];
  const characters = Array.from(text);
  for (let at = 0; at < characters.length; at++) {
    const character = characters[at] ?? '';
    if (character === '*') tokens.push({ kind: 'star' });
    else if (character === '?') tokens.push({ kind: 'any' });
    else if (character === ']') return undefined;
    else if (character === '[') {
      const negated = characters[at + 1] === '!';
      const from = at + (negated ? 2 : 1);
      const end = characters.indexOf(']', from);
      if (end <= from) return undefined;
      tokens.push({ kind: 'set', negated, ranges: rangesOf(characters.slice(from, end)) });
      at = end;
    } else tokens.push({ kind: 'literal', character });
  }
  return tokens;
}

function rangesOf(characters: readonly string[]): (readonly [string, string])[] {
  const ranges: (readonly [string, string])[] = [];
  for (let at = 0; at < characters.length; at++) {
    const first = characters[at] ?? '';
    const last = characters[at + 2];
    if (characters[at + 1] === '-' && last !== undefined) {
      ranges.push([first, last]);
      at += 2;
    } else ranges.push([first, first]);
  }
  return ranges;
}

function accepts(token: Token, character: string): boolean {
  if (token.kind === 'literal') return token.character === character;
  if (token.kind === 'set')
    return token.negated !== token.ranges.some(([first, last]) => first <= character && character <= last);
  return true;
}

/** Whether a segment matches a name. Time is bounded by the product of both lengths. */
export function matchesSegment(segment: Segment, name: string): boolean {
  if (typeof segment === 'string') return segment === name;
  const first = segment[0];
  if (name.startsWith('.') && !(first?.kind === 'literal' && first.character === '.')) return false;
  const characters = Array.from(name);
  let token = 0;
  let at = 0;
  // Where to go on when the text after the last star does not fit: one character more for the star.
  let star = -1;
  let starAt = 0;
  while (at < characters.length) {
    const current = segment[token];
    if (current?.kind === 'star') {
      star = token++;
      starAt = at;
    } else if (current !== undefined && accepts(current, characters[at] ?? '')) {
      token++;
      at++;
    } else if (star >= 0) {
      token = star + 1;
      at = ++starAt;
    } else return false;
  }
  return segment.slice(token).every(({ kind }) => kind === 'star');
}

/** Whether a pattern matches an absolute path below /dev. */
export function matchesPath(glob: PathGlob, path: string): boolean {
  const names = path.slice('/dev/'.length).split('/');
  return (
    names.length === glob.segments.length &&
    glob.segments.every((segment, index) => matchesSegment(segment, names[index] ?? ''))
  );
}
