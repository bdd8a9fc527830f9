/** Colour for words that say how something is: on a terminal only, and not where NO_COLOR is set. */

export type Paint = (state: string, text: string) => string;

const colours: Readonly<Record<string, number>> = {
  well: 32,
  pass: 32,
  ill: 31,
  failure: 31,
  unseen: 33,
  warning: 33,
  unknown: 33,
};

export function paintFor(
  stream: { readonly isTTY?: boolean },
  env: Readonly<Record<string, string | undefined>>,
): Paint {
  const coloured = stream.isTTY === true && (env['NO_COLOR'] ?? '') === '' && env['TERM'] !== 'dumb';
  return (state, text) => {
    const colour = colours[state];
    return coloured && colour !== undefined ? `\u001b[${colour}m${text}\u001b[0m` : text;
  };
}
