/** The known word that looks most like one that is not known, for sentences that help. */

/** How many letters have to be changed, put in or left out to make one text of the other. */
function distance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (const [i, letter] of Array.from(a).entries()) {
    const next = [i + 1];
    for (let j = 0; j < b.length; j++) {
      const same = letter === b[j] ? 0 : 1;
      next.push(Math.min((row[j] ?? 0) + same, (row[j + 1] ?? 0) + 1, (next[j] ?? 0) + 1));
    }
    row = next;
  }
  return row[b.length] ?? 0;
}

/** As long as a word of ours can be; what a request holds may be longer. */
const longest = 64;

/** The nearest of at least one known word; upper and lower case are the same. */
export function nearest<T extends string>(text: string, known: readonly [T, ...T[]]): T {
  const begin = text.slice(0, longest).toLowerCase();
  const far = (word: T): number => distance(begin, word.toLowerCase());
  return known.reduce((best, word) => (far(word) < far(best) ? word : best));
}
