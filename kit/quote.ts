/** Text of others in a sentence of ours: between quotes, cut, and with nothing in it that a terminal would obey. */

/** What JSON leaves as it is: DEL, the C1 controls, and the marks that turn the direction of a line. */
const unsafe = /[\u007f-\u009f\u2028-\u202e\u2066-\u2069]/g;

/** JSON text with those escaped too; it reads back the same. */
export function escapeUnsafe(json: string): string {
  return json.replace(unsafe, (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`);
}

/** At most the first `most` characters. */
export function quote(text: string, most = 64): string {
  return escapeUnsafe(JSON.stringify(text.slice(0, most)));
}
