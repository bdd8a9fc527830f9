/** Which ID each unit has: pure, from what it says of itself and what is remembered of serial numbers. */
import type { ResourceRule } from '../config/resource.ts';
import type { IdentityMemory } from './memory.ts';
import { settleSerials } from './settleserials.ts';
import { unitId } from './unitid.ts';
import type { FoundUnit } from './unit.ts';

export interface Identified {
  /** In the order of the units; no two are the same. */
  readonly ids: readonly string[];
  /** The same object where nothing is new: what is to be kept in a file is kept when it is another. */
  readonly memory: IdentityMemory;
}

/**
 * Gives every unit of a resource the first identity of the rule's order that it has, and has alone: of several with one
 * serial number the one that had its ID before keeps it, and each other is called by its place from then on.
 */
export function identify(
  { name, identity }: Pick<ResourceRule, 'name' | 'identity'>,
  units: readonly FoundUnit[],
  memory: IdentityMemory,
): Identified {
  const order = [...identity, 'path' as const];
  const bySerial = units.map(({ identities }) => order.find((kind) => identities[kind] !== undefined) === 'serial');
  const before = memory.get(name) ?? [];
  const { holders, records } = settleSerials(
    units.map(({ identities }, index) =>
      bySerial[index] === true && identities.serial !== undefined ? claimOf(identities, identities.serial) : undefined,
    ),
    before,
  );
  const used = new Set<string>();
  const ids = units.map(({ identities }, index) => {
    for (const kind of order) {
      const text = identities[kind];
      if (text === undefined || (kind === 'serial' && !holders.has(index))) continue;
      const id = unitId(kind, text);
      if (used.has(id)) continue;
      used.add(id);
      return id;
    }
    return uncommon(identities.path, used);
  });
  return { ids, memory: records === before ? memory : new Map([...memory, [name, records]]) };
}

/** What a unit says of its serial number, and where it is. */
function claimOf({ port, path }: FoundUnit['identities'], serial: string) {
  const [kind, text] = port === undefined ? (['path', path] as const) : (['port', port] as const);
  return { serial: unitId('serial', serial), place: unitId(kind, text), order: text };
}

/** An ID by the path for a unit whose path another has, too; the matcher makes none. */
function uncommon(path: string, used: Set<string>): string {
  for (let count = 2; ; count++) {
    const id = unitId('path', `${path}#${count}`);
    if (used.has(id)) continue;
    used.add(id);
    return id;
  }
}
