/** Rules of the configuration made ready: patterns parsed once, and what the inventory has to read for them. */
import { parseGlob } from '../config/pathglob.ts';
import type { PathGlob } from '../config/pathglob.ts';
import type { ResourceRule } from '../config/resource.ts';
import type { Wants } from '../inventory/wants.ts';
import { compileDeviceSelector, compileSelector } from './selector.ts';
import type { CompiledSelector } from './selector.ts';

/** A selector with the key that it stands under: `match[0]`, `paths[1]`. */
export interface Entry {
  readonly key: string;
  readonly selector: CompiledSelector;
}

export interface CompiledMember extends Entry {
  readonly role: string;
  readonly required: boolean;
}

export interface CompiledGroup {
  readonly kind: 'group';
  readonly by: NonNullable<ResourceRule['group']>['by'];
  /** Asked of the USB device or the PCI function itself. */
  readonly match: CompiledSelector | undefined;
  readonly members: readonly CompiledMember[];
}

/** How a resource finds its units. */
export type CompiledSource =
  | { readonly kind: 'match'; readonly entries: readonly Entry[] }
  | CompiledGroup
  | { readonly kind: 'together'; readonly paths: readonly string[] }
  | { readonly kind: 'directory'; readonly path: string };

export interface CompiledRule {
  readonly rule: ResourceRule;
  readonly source: CompiledSource;
}

export interface CompiledRules {
  readonly rules: readonly CompiledRule[];
  /** Nodes that only an exact path finds. */
  readonly deny: readonly PathGlob[];
  /** What the inventory has to read beside what it always does. */
  readonly wants: Wants;
}

/** Makes validated rules ready; earlier ones come first. */
export function compileRules(rules: readonly ResourceRule[], deny: readonly string[]): CompiledRules {
  const compiled = rules.map((rule): CompiledRule => ({ rule, source: sourceOf(rule) }));
  const selectors = compiled.flatMap(({ source }) => selectorsOf(source));
  const attributes = [
    ...selectors.flatMap((selector) => selector.attributes),
    ...rules.flatMap(({ health }) => health.attributes.map(({ name }) => name)),
  ];
  const globs = [...selectors.flatMap((selector) => selector.globs), ...parsed(rules.flatMap(fixedPaths))];
  return {
    rules: compiled,
    deny: parsed(deny),
    wants: {
      globs: [...new Map(globs.map((glob) => [glob.pattern, glob])).values()],
      attributes: new Set(attributes),
    },
  };
}

/** The path patterns by which a rule looks for nodes. */
export function pathsOf({ rule, source }: CompiledRule): readonly PathGlob[] {
  const own = selectorsOf(source).flatMap(({ path }) => path ?? []);
  return [...own, ...parsed(fixedPaths(rule))];
}

/** Paths that a rule names outside of its selectors. */
function fixedPaths({ together = [], with: companions, directory }: ResourceRule): readonly string[] {
  // What is deeper below a folder is found where sysfs knows it.
  const below = directory === undefined ? [] : [`${directory}/*`, `${directory}/*/*`];
  return [...together, ...companions, ...below];
}

function sourceOf({ paths, match, group, together, directory }: ResourceRule): CompiledSource {
  if (together !== undefined) return { kind: 'together', paths: together };
  if (directory !== undefined) return { kind: 'directory', path: directory };
  if (group !== undefined)
    return {
      kind: 'group',
      by: group.by,
      match: group.match && compileDeviceSelector(group.match),
      members: group.members.map((member, index) => ({
        key: `group.members[${index}].match`,
        role: member.role,
        required: member.required,
        selector: compileSelector(member.match),
      })),
    };
  const [key, selectors] = match === undefined ? ['paths', (paths ?? []).map((path) => ({ path }))] : ['match', match];
  return {
    kind: 'match',
    entries: selectors.map((selector, index) => ({
      key: `${key}[${index}]`,
      selector: compileSelector(selector),
    })),
  };
}

function selectorsOf(source: CompiledSource): readonly CompiledSelector[] {
  if (source.kind === 'match') return source.entries.map(({ selector }) => selector);
  if (source.kind !== 'group') return [];
  return [...(source.match === undefined ? [] : [source.match]), ...source.members.map(({ selector }) => selector)];
}

function parsed(patterns: readonly string[]): readonly PathGlob[] {
  return patterns.map(parseGlob).filter((glob) => typeof glob !== 'string');
}
