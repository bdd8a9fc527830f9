/** Resources of one unit whose nodes the rule names: all of these paths (`together`), or all nodes below a folder. */
import type { Inventory } from '../inventory/inventory.ts';
import type { DeviceFacts, NodeFacts } from './facts.ts';
import { comparePaths } from './naturalorder.ts';
import { claim, isFree } from './search.ts';
import type { Finding, Search } from './search.ts';

/** One unit when every path is there, and none otherwise. */
export function findTogether(search: Search, paths: readonly string[]): readonly Finding[] {
  const found = paths.map((path) => search.facts.byPath.get(path));
  const nodes = [...new Set(found.filter((node) => node !== undefined))];
  // Where none is there the node has no such hardware, as with any other rule.
  if (nodes.length > 0)
    for (const [index, path] of paths.entries())
      if (found[index] === undefined) search.problems.add(`${path} ${whyAbsent(search.facts.inventory, path)}`);
  const free = nodes.filter((node) => isFree(search, node));
  for (const node of free) claim(search, node);
  const complete = free.length === nodes.length && found.every((node) => node !== undefined);
  return complete ? [unitOf(nodes, paths.join('+'))] : [];
}

/** One unit of all nodes below a folder, links counted; none where there is no node. */
export function findFolder(search: Search, folder: string): readonly Finding[] {
  const nodes: { readonly node: NodeFacts; readonly path: string }[] = [];
  for (const node of search.facts.nodes) {
    const path = [node.node.path, ...node.node.links].find((each) => each.startsWith(`${folder}/`));
    if (path === undefined || search.denial(node) !== undefined || !isFree(search, node)) continue;
    claim(search, node);
    nodes.push({ node, path });
  }
  nodes.sort((a, b) => comparePaths(a.path, b.path));
  return nodes.length === 0
    ? []
    : [
        unitOf(
          nodes.map(({ node }) => node),
          folder,
        ),
      ];
}

/** Why a path leads to no node, as a sentence without a subject. */
export function whyAbsent({ misfits }: Pick<Inventory, 'misfits'>, path: string): string {
  return misfits.find((misfit) => misfit.path === path)?.reason ?? 'is missing';
}

function unitOf(nodes: readonly NodeFacts[], path: string): Finding {
  return {
    members: nodes.map((node) => ({ role: 'device', node })),
    identities: { path },
    places: nodes.map(({ device }) => device).filter((device): device is DeviceFacts => device !== undefined),
  };
}
