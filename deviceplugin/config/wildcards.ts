/** Patterns for whole texts: `*` any characters, `?` one, `[a-c]` and `[!a-c]` one of a set. Nothing else is special. */

type Token =
  | { readonly kind: 'star' | 'any' }
  | { readonly kind: 'literal'; readonly character: string }
  | { readonly kind: 'set'; readonly negated: boolean; readonly ranges: readonly (readonly [string, string])[] };

/** A parsed pattern: a plain text where it has no wildcards, else what it begins with and the rest of it. */
export type Wildcards = string | { readonly prefix: string; readonly tokens: readonly Token[] };

/** What is wrong where `parseWildcards` returns nothing. */
export const brokenSet = 'has a "[" without its "]", an empty "[]", or a "]" alone';

/** Parses a pattern. Undefined when its brackets are wrong. */
export function parseWildcards(text: string): Wildcards | undefined {
  const first = text.search(/[*?[\]]/);
  if (first < 0) return text;
  const tokens: Token[] = [];
  const characters = Array.from(text.slice(first));
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
  return { prefix: text.slice(0, first), tokens };
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

/** Whether a pattern matches a whole text. Time is bounded by the product of both lengths. */
export function matchesWildcards(pattern: Wildcards, text: string): boolean {
  if (typeof pattern === 'string') return pattern === text;
  const { prefix, tokens } = pattern;
  // Most texts end here, so that nothing is made for them.
  if (!text.startsWith(prefix)) return false;
  const characters = /[\ud800-\udfff]/.test(text) ? Array.from(text.slice(prefix.length)) : text.slice(prefix.length);
  let token = 0;
  let at = 0;
  // Where to go on when the text after the last star does not fit: one character more for the star.
  let star = -1;
  let starAt = 0;
  while (at < characters.length) {
    const current = tokens[token];
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
  return tokens.slice(token).every(({ kind }) => kind === 'star');
}
