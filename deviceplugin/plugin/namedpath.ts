/** By which of its paths a node is meant: a rule may name a link, and a link may outlive the number of what it leads to. */
import { matchesPath, parseGlob } from '../config/pathglob.ts';
import type { ResourceRule } from '../config/resource.ts';
import type { DevNode } from '../inventory/inventory.ts';

type Test = (path: string) => boolean;

const tests = new WeakMap<ResourceRule, readonly Test[]>();

/** The path on the host by which a rule names a node: the node's own, or where the rule only fits a link to it, that. */
export function namedPath(rule: ResourceRule, { path, links }: DevNode): string {
  let fits = tests.get(rule);
  if (fits === undefined) tests.set(rule, (fits = testsOf(rule)));
  return [path, ...links].find((candidate) => fits.some((test) => test(candidate))) ?? path;
}

function testsOf({ paths = [], match = [], group, together = [], directory, with: beside }: ResourceRule): Test[] {
  const selectors = [...match, ...(group?.members ?? []).map((member) => member.match)];
  const globs = [...paths, ...selectors.map(({ path }) => path).filter((path) => path !== undefined)]
    .map(parseGlob)
    .filter((glob) => typeof glob !== 'string');
  const exact = new Set([...together, ...beside]);
  return [
    ...globs.map(
      (glob): Test =>
        (path) =>
          matchesPath(glob, path),
    ),
    (path) => exact.has(path),
    (path) => directory !== undefined && path.startsWith(`${directory}/`),
  ];
}

/**
 * The link by which the runtime finds a node again after it got another number, or undefined: the one the rule names, else
 * one by ID, else one by port. One by ID leads to either of two devices with the same serial number, or without any, so it
 * is only taken where the serial number is `alone`.
 */
export function lastingLink(rule: ResourceRule, node: DevNode, alone: boolean): string | undefined {
  const named = namedPath(rule, node);
  if (named !== node.path) return named;
  const ofKind = (kind: string): string | undefined => node.links.find((link) => link.includes(`/${kind}/`));
  return (alone ? ofKind('by-id') : undefined) ?? ofKind('by-path');
}
