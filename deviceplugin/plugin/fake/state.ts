/** Resource states for tests: a rule as the configuration gives it, and units by the little that a test says of them. */
import { resource } from '../../config/resource.ts';
import type { DevNode } from '../../inventory/inventory.ts';
import type { Member, ResourceState, Unit } from '../../units/unit.ts';

/** A node of an own number per path unless the test says which. */
export function node(path: string, more: Partial<DevNode> = {}): DevNode {
  const number = Buffer.from(path).reduce((sum, byte) => (sum * 31 + byte) % 1_000_000, 0);
  return { number: `c240:${number}`, path, links: [], device: undefined, ...more };
}

/** A unit that is present and healthy; its members are paths, or nodes, or nodes with roles. */
export function unit(id: string, members: readonly (string | DevNode | Member)[], more: Partial<Unit> = {}): Unit {
  const complete = members.map((member): Member => {
    if (typeof member === 'string') return { role: 'device', node: node(member) };
    return 'role' in member ? member : { role: 'device', node: member };
  });
  return {
    id,
    members: complete,
    companions: [],
    identities: { path: complete[0]?.node.path ?? id },
    numaNode: undefined,
    lineage: [],
    present: true,
    unhealthy: undefined,
    ...more,
  };
}

/** The state of a resource of this rule, by default one of any nodes, with these units. */
export function state(rule: object, units: readonly Unit[]): ResourceState {
  const given = { name: 'berth.dev/serial', ...rule };
  const source = ['paths', 'match', 'group', 'together', 'directory'].some((key) => key in given);
  return {
    rule: resource.parse(source ? given : { ...given, match: [{ subsystem: '*' }] }),
    units: new Map(units.map((each) => [each.id, each])),
    problems: [],
  };
}
