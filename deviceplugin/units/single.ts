/** Resources of single nodes (`paths`, `match`): each node that a selector finds is a unit. */
import { isLiteral } from '../config/pathglob.ts';
import type { Entry } from './compile.ts';
import type { Facts, NodeFacts } from './facts.ts';
import { comparePaths } from './naturalorder.ts';
import { claim, isFree } from './search.ts';
import type { Finding, Search } from './search.ts';
import { fits, isExact, pathFoundBy } from './selector.ts';
import type { CompiledSelector } from './selector.ts';

/** Units in the order of the selectors, and of one selector in the order of paths. */
export function findSingles(search: Search, entries: readonly Entry[]): readonly Finding[] {
  const seen = new Set<NodeFacts>();
  return entries.flatMap(({ selector }) => {
    const hits: { readonly node: NodeFacts; readonly path: string }[] = [];
    for (const node of candidates(search.facts, selector)) {
      if (seen.has(node) || !fits(selector, node)) continue;
      if (!isExact(selector) && search.denial(node) !== undefined) continue;
      seen.add(node);
      if (!isFree(search, node)) continue;
      claim(search, node);
      const path = selector.path && pathFoundBy(selector.path, node.node);
      hits.push({ node, path: path ?? node.node.path });
    }
    hits.sort((a, b) => comparePaths(a.path, b.path));
    return hits.map(({ node, path }) => ({
      members: [{ role: 'device', node }],
      identities: search.identities.ofNode(node.device, path),
      places: node.device === undefined ? [] : [node.device],
    }));
  });
}

/** The nodes that a selector could find: as few as its path and its subsystem leave. */
function candidates(facts: Facts, { path, subsystem }: CompiledSelector): readonly NodeFacts[] {
  if (path !== undefined && isLiteral(path)) {
    const node = facts.byPath.get(path.pattern);
    return node === undefined ? [] : [node];
  }
  return subsystem === undefined ? facts.nodes : (facts.bySubsystem.get(subsystem) ?? []);
}
