/** Which metrics a query reads, and by which labels it chooses among their series. */

export interface Selector {
  readonly metric: string;
  readonly labels: readonly string[];
  /** As it stands in the query. */
  readonly text: string;
}

/** The prefixes of all there is: what else looks like a name is a function, an operator or a label. */
const selector = /\b((?:berth[_:]|process_|nodejs_|ALERTS)[\w:]*|up)\b(?:\{([^}]*)\})?/g;
/** `by (…)`, `on (…)`: labels, which may be called as a metric. */
const grouping = /\b(?:by|without|on|ignoring|group_left|group_right)\s*\([^)]*\)/g;

export function selectorsOf(query: string): readonly Selector[] {
  return [...query.replaceAll(grouping, '').matchAll(selector)].map(([text, metric = '', matchers = '']) => ({
    text,
    metric,
    labels: [...matchers.matchAll(/(\w+)\s*(?:=~|!~|!=|=)/g)].map(([, label = '']) => label),
  }));
}
