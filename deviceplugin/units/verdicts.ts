/** What each entry of a rule says of one node: that it fits, or the first thing that does not. */
import type { CompiledGroup, CompiledSource } from './compile.ts';
import { listed } from './condition.ts';
import type { Facts, NodeFacts } from './facts.ts';
import { anchorFailure, anchorsOf, cast, missingRole } from './group.ts';
import type { Anchor } from './group.ts';
import type { Search } from './search.ts';
import { failureOf, isExact } from './selector.ts';

export interface Question {
  readonly facts: Facts;
  readonly denial: Search['denial'];
  readonly node: NodeFacts;
}

export interface EntryVerdict {
  /** Key of the entry in the rule: `match[0]`, `group.members[1].match`. */
  readonly key: string;
  /** Why not, as a sentence; undefined where it fits. */
  readonly failure: string | undefined;
  /** Whether it names an exact path, and so finds what is denied to patterns. */
  readonly exact: boolean;
}

const kinds = { usbDevice: 'USB device', pciFunction: 'PCI function', iommuGroup: 'IOMMU group' } as const;

/** What a rule says of a node. */
export function verdictsOf(question: Question, source: CompiledSource): readonly EntryVerdict[] {
  const { node } = question;
  const paths = [node.node.path, ...node.node.links];
  switch (source.kind) {
    case 'match':
      return source.entries.map(({ key, selector }) => ({
        key,
        failure: failureOf(selector, node),
        exact: isExact(selector),
      }));
    case 'together': {
      const named = source.paths.some((path) => paths.includes(path));
      const failure = named ? undefined : `path is ${listed(paths)}, none of ${source.paths.join(', ')}`;
      return [{ key: 'together', failure, exact: true }];
    }
    case 'directory': {
      const below = paths.some((path) => path.startsWith(`${source.path}/`));
      const failure = below ? undefined : `path is ${listed(paths)}, not below ${source.path}`;
      return [{ key: 'directory', failure, exact: false }];
    }
    case 'group':
      return groupVerdicts(question, source);
  }
}

/** What keeps a group of which a node is a part from being a unit. */
export function whyIncomplete(question: Question, source: CompiledSource): string | undefined {
  if (source.kind !== 'group') return undefined;
  const anchor = anchorOfNode(question, source);
  const role = anchor && missingRole(source.members, cast(question, source.members, anchor.nodes));
  return role === undefined ? undefined : `is in a ${kinds[source.by]} without the required part "${role}"`;
}

function groupVerdicts(question: Question, group: CompiledGroup): readonly EntryVerdict[] {
  const anchor = anchorOfNode(question, group);
  if (anchor === undefined) return [{ key: 'group.by', failure: `it belongs to no ${kinds[group.by]}`, exact: false }];
  const failure = anchorFailure(group, anchor);
  if (failure !== undefined) return [{ key: 'group.match', failure, exact: false }];
  return group.members.map(({ key, selector }) => ({
    key,
    failure: failureOf(selector, question.node),
    exact: isExact(selector),
  }));
}

function anchorOfNode({ facts, node }: Question, group: CompiledGroup): Anchor | undefined {
  return anchorsOf(facts, group).find(({ nodes }) => nodes.includes(node));
}
