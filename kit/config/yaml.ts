/** Reads YAML text into plain values, keeping where each value stands, so that problems can name the line. */
import { isMap, isScalar, LineCounter, parseDocument } from 'yaml';
import type { ConfigPath, ConfigProblem } from './problem.ts';

export interface YamlText {
  /** The document as plain values; undefined when the text is not usable YAML. */
  readonly content: unknown;
  readonly problems: readonly ConfigProblem[];
  /** Problems with the 1-based line of the value at their path, or of the nearest value around it, by line. */
  inOrder(problems: readonly ConfigProblem[]): readonly ConfigProblem[];
}

/** Parses one YAML 1.2 document. Duplicate keys, unknown tags, several documents and runaway aliases are problems. */
export function parseYaml(text: string): YamlText {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, uniqueKeys: true, prettyErrors: false, strict: true });
  const problems: ConfigProblem[] = [...document.errors, ...document.warnings].map((error) => ({
    path: [],
    message: `YAML: ${error.message}`,
    line: lines.linePos(error.pos[0]).line,
  }));
  let content: unknown;
  if (problems.length === 0) {
    try {
      content = document.toJS({ maxAliasCount: 100 });
    } catch (error) {
      problems.push({ path: [], message: `YAML: ${error instanceof Error ? error.message : String(error)}` });
    }
  }
  const lineOf = (path: ConfigPath): number | undefined => {
    for (let depth = path.length; depth >= 0; depth -= 1) {
      const offset = offsetOf(document, path.slice(0, depth));
      if (offset !== undefined) return lines.linePos(offset).line;
    }
    return undefined;
  };
  const withLine = (problem: ConfigProblem): ConfigProblem => {
    const line = problem.line ?? lineOf(problem.path);
    return line === undefined ? problem : { ...problem, line };
  };
  const inOrder = (found: readonly ConfigProblem[]): readonly ConfigProblem[] =>
    found.map(withLine).sort((a, b) => (a.line ?? 0) - (b.line ?? 0));
  return { content, problems, inOrder };
}

type YamlDocument = ReturnType<typeof parseDocument>;

/** Where the key (in a map) or the item (in a list) at `path` begins. */
function offsetOf(document: YamlDocument, path: ConfigPath): number | undefined {
  const last = path.at(-1);
  if (last === undefined) return undefined;
  const parent: unknown = path.length === 1 ? document.contents : document.getIn(path.slice(0, -1), true);
  if (isMap(parent)) {
    const key = parent.items.map((pair) => pair.key).find((each) => isScalar(each) && String(each.value) === last);
    return isScalar(key) ? key.range?.[0] : undefined;
  }
  const item: unknown = document.getIn(path, true);
  return hasRange(item) ? item.range[0] : undefined;
}

function hasRange(node: unknown): node is { readonly range: readonly [number, number, number] } {
  return typeof node === 'object' && node !== null && 'range' in node && Array.isArray(node.range);
}
