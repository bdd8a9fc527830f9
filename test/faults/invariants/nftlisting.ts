/** Elements of sets and maps in what `nft -j list table` prints (libnftables-json(5)), in the words of linux/nftables. Pure. */

type Word =
  | string
  | number
  | { readonly concat: readonly Word[] }
  | { readonly prefix: { readonly addr: string; readonly len: number } };
/** An element of a map is a pair of key and value. */
type Element = Word | readonly [Word, Word];

interface Listing {
  readonly nftables: readonly { readonly set?: NamedSet; readonly map?: NamedSet }[];
}

interface NamedSet {
  readonly name: string;
  readonly elem?: readonly Element[];
}

/** By set or map; undefined when nothing was printed, because there is no such table. */
export function elementsIn(listing: string): ReadonlyMap<string, readonly string[]> | undefined {
  if (listing.trim() === '') return undefined;
  const { nftables } = JSON.parse(listing) as Listing;
  return new Map(
    nftables.flatMap(({ set, map }) => {
      const named = set ?? map;
      return named === undefined ? [] : [[named.name, (named.elem ?? []).map(elementText)] as const];
    }),
  );
}

function elementText(element: Element): string {
  return isPair(element) ? `${wordText(element[0])} : ${wordText(element[1])}` : wordText(element);
}

function isPair(element: Element): element is readonly [Word, Word] {
  return Array.isArray(element);
}

function wordText(word: Word): string {
  if (typeof word !== 'object') return String(word);
  if ('concat' in word) return word.concat.map(wordText).join(' . ');
  if ('prefix' in word) return `${word.prefix.addr}/${word.prefix.len}`;
  // Ranges and the like are nothing that Berth writes: shown as they are, and so owned by nobody.
  return JSON.stringify(word);
}
