/** The order in which people count: `ttyUSB2` before `ttyUSB10`. */

/** Compares by characters, and by value where both have digits. Different texts are never equal. */
export function comparePaths(a: string, b: string): number {
  let i = 0;
  let j = 0;
  while (i < a.length && j < b.length) {
    const one = a.charCodeAt(i);
    const other = b.charCodeAt(j);
    if (!isDigit(one) || !isDigit(other)) {
      if (one !== other) return one - other;
      i++;
      j++;
      continue;
    }
    const [iFrom, iEnd] = digitsAt(a, i);
    const [jFrom, jEnd] = digitsAt(b, j);
    // Without leading zeros a longer number is a greater one, and equally long ones compare like texts.
    if (iEnd - iFrom !== jEnd - jFrom) return iEnd - iFrom - (jEnd - jFrom);
    for (let at = 0; at < iEnd - iFrom; at++) {
      const difference = a.charCodeAt(iFrom + at) - b.charCodeAt(jFrom + at);
      if (difference !== 0) return difference;
    }
    i = iEnd;
    j = jEnd;
  }
  return a.length - i - (b.length - j) || (a < b ? -1 : a > b ? 1 : 0);
}

function isDigit(code: number): boolean {
  return code >= 48 && code <= 57;
}

/** Where the digits at a place begin, without zeros in front, and end. */
function digitsAt(text: string, at: number): readonly [from: number, end: number] {
  let end = at;
  while (isDigit(text.charCodeAt(end))) end++;
  let from = at;
  while (from < end - 1 && text.charCodeAt(from) === 48) from++;
  return [from, end];
}
