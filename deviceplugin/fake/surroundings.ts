/** What a catalogue is told in tests: rules as a configuration has them, and nobody who holds or probes anything. */
import type { Surroundings } from '../catalogue.ts';
import { devicesSection } from '../config/section.ts';
import type { Inventory } from '../inventory/inventory.ts';
import { compileRules } from '../units/compile.ts';
import type { CompiledRules } from '../units/compile.ts';

/** Rules with what a resource may leave out filled in. */
export function rulesOf(...resources: readonly object[]): CompiledRules {
  const section = devicesSection.parse({ resources, rulesDir: '/etc/rules' });
  return compileRules(section.resources, section.deny);
}

export function surroundings(
  rules: CompiledRules,
  inventory: Inventory,
  more: Partial<Surroundings> = {},
): Surroundings {
  const held = { isHeld: () => false, idsOf: () => [] };
  return { rules, inventory, held, problemOf: () => undefined, now: 0, ...more };
}
