/** Whether texts fit patterns of the configuration, which were checked there. */
import { matchesWildcards, parseWildcards } from './wildcards.ts';

/** For a pattern that is used often. */
export function patternTest(pattern: string): (text: string) => boolean {
  const parsed = parseWildcards(pattern);
  return parsed === undefined ? () => false : (text) => matchesWildcards(parsed, text);
}

/** For one that is used now and then. */
export function matchesText(pattern: string, text: string): boolean {
  return patternTest(pattern)(text);
}
