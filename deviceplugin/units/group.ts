/** Resources of groups: the nodes of one USB device, PCI function or IOMMU group, each in the role that it plays. */
import type { CompiledGroup, CompiledMember } from './compile.ts';
import type { DeviceFacts, Facts, NodeFacts } from './facts.ts';
import { comparePaths } from './naturalorder.ts';
import { claim, isFree } from './search.ts';
import type { Finding, Search } from './search.ts';
import { failureOf, fits, isExact } from './selector.ts';

/** What ties the nodes of a unit together. */
export interface Anchor {
  readonly nodes: readonly NodeFacts[];
  /** The USB device, the PCI function, or all functions of the IOMMU group. */
  readonly devices: readonly DeviceFacts[];
}

/** A unit for each anchor that has a node for every required role, in the order of their first paths. */
export function findGroups(search: Search, group: CompiledGroup): readonly Finding[] {
  const units: Finding[] = [];
  for (const anchor of anchorsOf(search.facts, group)) {
    const device = deviceOf(group, anchor);
    if (device === undefined) continue;
    const wanted = cast(search, group.members, anchor.nodes);
    if (missingRole(group.members, wanted) !== undefined) continue;
    const members = wanted.filter(({ node }) => isFree(search, node));
    const [first] = members;
    if (first === undefined || missingRole(group.members, members) !== undefined) continue;
    for (const { node } of members) claim(search, node);
    units.push({
      members,
      identities: search.identities.ofHardware(device, first.node.node.path),
      places: anchor.devices,
    });
  }
  const pathOf = ({ members }: Finding): string => members[0]?.node.node.path ?? '';
  return units.sort((a, b) => comparePaths(pathOf(a), pathOf(b)));
}

/** All groups of this kind that have a node. */
export function anchorsOf(facts: Facts, { by }: CompiledGroup): readonly Anchor[] {
  if (by === 'iommuGroup')
    return [...facts.byIommuGroup].map(([group, nodes]) => ({ nodes, devices: facts.iommuGroups.get(group) ?? [] }));
  return [...(by === 'usbDevice' ? facts.byUsbDevice : facts.byPciFunction)].map(([devpath, nodes]) => ({
    nodes,
    devices: [facts.deviceFacts(devpath)].filter((device) => device !== undefined),
  }));
}

/** The device of an anchor that the group's own selector fits; without a selector the first. */
function deviceOf({ match }: CompiledGroup, { devices }: Anchor): DeviceFacts | undefined {
  return devices.find((device) => match === undefined || fits(match, { device, node: undefined }));
}

/** Why no device of an anchor is what the group's own selector wants. */
export function anchorFailure(group: CompiledGroup, anchor: Anchor): string | undefined {
  const { match } = group;
  if (match === undefined || deviceOf(group, anchor) !== undefined) return undefined;
  const [device] = anchor.devices;
  return failureOf(match, { device, node: undefined });
}

/** Gives each node the first role that it fits. Members are in the order of the roles, and in each of the paths. */
export function cast(
  { denial }: Pick<Search, 'denial'>,
  roles: readonly CompiledMember[],
  nodes: readonly NodeFacts[],
): Finding['members'] {
  const left = new Set(nodes);
  return roles.flatMap(({ role, selector }) => {
    const playing: Finding['members'][number][] = [];
    for (const node of left) {
      if (!fits(selector, node)) continue;
      if (!isExact(selector) && denial(node) !== undefined) continue;
      left.delete(node);
      playing.push({ role, node });
    }
    return playing;
  });
}

/** A required role that nobody plays. */
export function missingRole(
  roles: readonly CompiledMember[],
  members: readonly { readonly role: string }[],
): string | undefined {
  return roles.find(({ role, required }) => required && !members.some((member) => member.role === role))?.role;
}
