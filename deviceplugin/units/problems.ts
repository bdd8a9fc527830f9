/** Sentences on what was found and is not offered: each once, and no more than a person reads. */

/** Most sentences of one resource; ten thousand nodes can have the same thing wrong. */
const most = 20;

export interface Problems {
  readonly add: (sentence: string) => void;
  readonly all: () => readonly string[];
}

export function createProblems(): Problems {
  const sentences = new Set<string>();
  let more = 0;
  return {
    add: (sentence) => {
      if (sentences.size < most) sentences.add(sentence);
      else if (!sentences.has(sentence)) more++;
    },
    all: () => (more === 0 ? [...sentences] : [...sentences, `and ${more} more like these`]),
  };
}
