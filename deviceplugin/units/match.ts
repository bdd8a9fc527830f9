/** Which nodes are units of which resource: pure, from the rules and one inventory. IDs come later. */
import { matchesPath } from '../config/pathglob.ts';
import type { DeviceNumber, DevNode, Inventory } from '../inventory/inventory.ts';
import { pathsOf } from './compile.ts';
import type { CompiledRule, CompiledRules } from './compile.ts';
import { gatherFacts, lineOf } from './facts.ts';
import type { DeviceFacts, Facts } from './facts.ts';
import { findFolder, findTogether, whyAbsent } from './fixed.ts';
import { findGroups } from './group.ts';
import { readIdentities } from './identities.ts';
import { createProblems } from './problems.ts';
import { denials } from './search.ts';
import type { Finding, Search } from './search.ts';
import { findSingles } from './single.ts';
import type { FoundUnit } from './unit.ts';

/** What a resource has on this node. */
export interface Found {
  /** In the order of advertisement. */
  readonly units: readonly FoundUnit[];
  /** What was found and is not offered, as sentences. */
  readonly problems: readonly string[];
}

/** The units of every resource, by its name. A node belongs to the first resource that finds it, and to no other. */
export function matchUnits(compiled: CompiledRules, inventory: Inventory): ReadonlyMap<string, Found> {
  return matchFacts(compiled, gatherFacts(inventory)).found;
}

/** The same, with the resource that each node belongs to. */
export function matchFacts(
  compiled: CompiledRules,
  facts: Facts,
): { readonly found: ReadonlyMap<string, Found>; readonly owners: ReadonlyMap<DeviceNumber, string> } {
  const identities = readIdentities(facts);
  const denial = denials(compiled, facts);
  const owners = new Map<DeviceNumber, string>();
  const found = compiled.rules.map((rule): [string, Found] => {
    const resource = rule.rule.name;
    const search: Search = { resource, facts, identities, denial, owners, problems: createProblems() };
    nameMisfits(search, rule);
    const findings = find(search, rule);
    const companions = findCompanions(search, rule);
    // What the rule found stays its own, so that a companion that goes and comes moves nothing to another resource.
    const units = companions === undefined ? [] : findings.map((finding) => unitOf(finding, companions));
    return [resource, { units, problems: search.problems.all() }];
  });
  return { found: new Map(found), owners };
}

function find(search: Search, { source }: CompiledRule): readonly Finding[] {
  switch (source.kind) {
    case 'match':
      return findSingles(search, source.entries);
    case 'group':
      return findGroups(search, source);
    case 'together':
      return findTogether(search, source.paths);
    case 'directory':
      return findFolder(search, source.path);
  }
}

/** What comes with each unit, or undefined where a part of it is missing. */
function findCompanions(search: Search, { rule }: CompiledRule): readonly DevNode[] | undefined {
  const nodes = rule.with.map((path) => search.facts.byPath.get(path)?.node);
  if (nodes.every((node) => node !== undefined)) return [...new Set(nodes)];
  rule.with.forEach((path, index) => {
    if (nodes[index] === undefined)
      search.problems.add(`${path}, which comes with each unit, ${whyAbsent(search.facts.inventory, path)}`);
  });
  return undefined;
}

/** Says what patterns of the rule found below /dev that is no device node. */
function nameMisfits({ facts, problems }: Search, rule: CompiledRule): void {
  if (facts.inventory.misfits.length === 0) return;
  const globs = pathsOf(rule);
  for (const { path, reason } of facts.inventory.misfits)
    if (globs.some((glob) => matchesPath(glob, path))) problems.add(`${path} ${reason}`);
}

function unitOf({ members, identities, places }: Finding, companions: readonly DevNode[]): FoundUnit {
  const own = new Set(members.map(({ node }) => node.node));
  return {
    members: members.map(({ role, node }) => ({ role, node: node.node })),
    companions: companions.filter((node) => !own.has(node)),
    identities,
    numaNode: commonNumaNode(places),
    lineage: commonLineage(places),
  };
}

/** The NUMA node of those that have one, where it is the same. */
function commonNumaNode(places: readonly DeviceFacts[]): number | undefined {
  const numbers = new Set(places.map(({ numaNode }) => numaNode).filter((number) => number !== undefined));
  const [number] = numbers;
  return numbers.size === 1 ? number : undefined;
}

function commonLineage([first, ...others]: readonly DeviceFacts[]): readonly string[] {
  const line = lineOf(first).map(({ device }) => device.devpath);
  return others.reduce((common, other) => {
    const devpaths = new Set(lineOf(other).map(({ device }) => device.devpath));
    return common.filter((devpath) => devpaths.has(devpath));
  }, line);
}
