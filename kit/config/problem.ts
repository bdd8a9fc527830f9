/** One thing that is wrong in a document of the configuration, and how it is shown to the person who has to mend it. */

/** Keys and indexes from the document's root. */
export type ConfigPath = readonly (string | number)[];

export interface ConfigProblem {
  /** Where in the document; empty for the document as a whole. */
  readonly path: ConfigPath;
  /** What is wrong and what was expected, as a sentence without the path. */
  readonly message: string;
  /** The value found there, or undefined where there is none. */
  readonly value?: unknown;
  /** 1-based line in the file, where it is known. */
  readonly line?: number;
}

const shownLength = 80;

/** `storage.pools[0].path`, the way kubectl writes field paths. */
export function formatPath(path: ConfigPath): string {
  return path
    .map((step, at) => {
      if (typeof step === 'number') return `[${step}]`;
      if (!/^[\w-]+$/.test(step)) return `[${JSON.stringify(step)}]`;
      return at === 0 ? step : `.${step}`;
    })
    .join('');
}

/** `file.yaml:12: storage.maxVolumes: expected integer, got "two"`. Newlines in values are escaped. */
export function formatProblem(file: string, problem: ConfigProblem): string {
  const where = problem.line === undefined ? file : `${file}:${problem.line}`;
  const path = problem.path.length === 0 ? '' : `${formatPath(problem.path)}: `;
  return `${where}: ${path}${problem.message}${formatValue(problem)}`;
}

function formatValue(problem: ConfigProblem): string {
  if (!('value' in problem) || problem.value === undefined) return '';
  const text = JSON.stringify(problem.value);
  return `, got ${text.length > shownLength ? `${text.slice(0, shownLength)}…` : text}`;
}
