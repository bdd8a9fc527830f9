/** What the page is made of: the views of this agent's services, and of the agents of the other plugins where each has its own process. */
import { messageOf } from '../../kit/errors.ts';
import type { Service } from '../../kit/service.ts';

/** Asks for a view by its name; undefined from one that has no such view. Throws with the reason when it cannot be had now. */
export type ViewSource = (view: string) => Promise<readonly unknown[] | undefined>;

export function viewsOf({ views = {} }: Pick<Service, 'views'>): ViewSource {
  return async (view) => (Object.hasOwn(views, view) ? await views[view]?.('') : undefined);
}

/** What all sources answered. */
export interface Answer {
  readonly items: readonly unknown[];
  /** Why there may be more than is known. */
  readonly problems: readonly string[];
  /** Whether anybody has such a view; one who does not answer may. */
  readonly known: boolean;
}

const noAnswer: Answer = { items: [], problems: [], known: false };

export class Views {
  readonly #sources: readonly ViewSource[];
  readonly #patienceMs: number;
  /** What is not answered yet: a disk that hangs is not asked again and again. */
  readonly #pending = new Map<string, Promise<Answer>>();

  constructor(sources: readonly ViewSource[], patienceMs = 2_000) {
    this.#sources = sources;
    this.#patienceMs = patienceMs;
  }

  /** Asks everybody for all of the views at once. Never rejects. */
  async ask(names: readonly string[]): Promise<ReadonlyMap<string, Answer>> {
    const answers = names.map(async (name) => [name, merge(await this.#askAll(name))] as const);
    return new Map(await Promise.all(answers));
  }

  #askAll(name: string): Promise<readonly Answer[]> {
    return Promise.all(this.#sources.map((source, index) => this.#askOne(name, source, `${index} ${name}`)));
  }

  async #askOne(name: string, source: ViewSource, key: string): Promise<Answer> {
    let asked = this.#pending.get(key);
    if (asked === undefined) {
      asked = answerOf(source, name).finally(() => this.#pending.delete(key));
      this.#pending.set(key, asked);
    }
    const { promise: late, resolve } = Promise.withResolvers<Answer>();
    const problem = `${name} cannot be shown now: no answer within ${this.#patienceMs / 1_000} s`;
    const timer = setTimeout(resolve, this.#patienceMs, { items: [], problems: [problem], known: true });
    return await Promise.race([asked, late]).finally(() => {
      clearTimeout(timer);
    });
  }
}

async function answerOf(source: ViewSource, name: string): Promise<Answer> {
  try {
    const items = await source(name);
    return items === undefined ? noAnswer : { items, problems: [], known: true };
  } catch (error) {
    return { items: [], problems: [messageOf(error)], known: true };
  }
}

function merge(answers: readonly Answer[]): Answer {
  return {
    items: answers.flatMap(({ items }) => items),
    problems: [...new Set(answers.flatMap(({ problems }) => problems))],
    known: answers.some(({ known }) => known),
  };
}
