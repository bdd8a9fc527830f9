/** Why a device node is, or is not, part of a resource: pure data, which somebody else makes text of. */
import type { DevNode, Inventory, SysDevice } from '../inventory/inventory.ts';
import { pciIds, usbIds } from './busconditions.ts';
import type { CompiledRule, CompiledRules } from './compile.ts';
import { shown } from './condition.ts';
import { gatherFacts, lineOf } from './facts.ts';
import { whyAbsent } from './fixed.ts';
import { matchFacts } from './match.ts';
import type { Found } from './match.ts';
import { denials } from './search.ts';
import { verdictsOf, whyIncomplete } from './verdicts.ts';
import type { EntryVerdict, Question } from './verdicts.ts';

/** One device of the way from the node to the root. Texts are as the hardware gives them. */
export interface ExplainedDevice extends Pick<SysDevice, 'devpath' | 'name' | 'subsystem' | 'devtype' | 'udev'> {
  /** Its own driver. */
  readonly driver: string | undefined;
  /** `0403:6001` with the serial number, of a USB device. */
  readonly usb: string | undefined;
  /** `8086:154c` with the class, of a PCI function. */
  readonly pci: string | undefined;
}

export interface ResourceVerdict {
  readonly resource: string;
  /**
   * `has`: it is part of a unit. `with`: it comes with units. `owned`: an earlier resource has it. `denied`: only its exact
   * path would find it. `incomplete`: it fits, but there is no unit. `no`: nothing fits.
   */
  readonly outcome: 'has' | 'with' | 'owned' | 'denied' | 'incomplete' | 'no';
  /** What is in the way, as a sentence without a subject. */
  readonly reason: string | undefined;
  /** What the rule asks, entry by entry, in its order. */
  readonly entries: readonly EntryVerdict[];
}

export type Explanation =
  | { readonly asked: string; readonly absent: string }
  | {
      readonly asked: string;
      readonly node: DevNode;
      /** What denies it to patterns. */
      readonly denial: string | undefined;
      /** Nearest first; empty where sysfs does not know it. */
      readonly lineage: readonly ExplainedDevice[];
      /** In the order of the rules. */
      readonly resources: readonly ResourceVerdict[];
    };

/** Explains a node, given a path that leads to it or its number (`c188:0`). */
export function explainNode(compiled: CompiledRules, inventory: Inventory, asked: string): Explanation {
  const facts = gatherFacts(inventory);
  const node = facts.byPath.get(asked) ?? facts.byNumber.get(asked);
  if (node === undefined) return { asked, absent: whyUnknown(inventory, asked) };
  const { found, owners } = matchFacts(compiled, facts);
  const denial = denials(compiled, facts);
  const owner = owners.get(node.node.number);
  const question: Question = { facts, denial, node };
  return {
    asked,
    node: node.node,
    denial: denial(node),
    lineage: lineOf(node.device).map((each) => explained(each.device)),
    resources: compiled.rules.map((rule) => verdictOf(question, rule, found.get(rule.rule.name), owner)),
  };
}

function verdictOf(
  question: Question,
  rule: CompiledRule,
  found: Found | undefined,
  owner: string | undefined,
): ResourceVerdict {
  const resource = rule.rule.name;
  const entries = verdictsOf(question, rule.source);
  const verdict = (outcome: ResourceVerdict['outcome'], reason?: string): ResourceVerdict => ({
    resource,
    outcome,
    reason,
    entries,
  });
  const units = found?.units ?? [];
  const { number } = question.node.node;
  if (units.some(({ members }) => members.some(({ node }) => node.number === number))) return verdict('has');
  if (units.some(({ companions }) => companions.some((node) => node.number === number))) return verdict('with');
  const fitting = entries.filter(({ failure }) => failure === undefined);
  if (fitting.length === 0) return verdict('no');
  const denied = question.denial(question.node);
  if (denied !== undefined && !fitting.some(({ exact }) => exact)) return verdict('denied', denied);
  if (owner !== undefined && owner !== resource) return verdict('owned', `belongs to ${owner}`);
  return verdict('incomplete', whyIncomplete(question, rule.source) ?? found?.problems.join('; '));
}

function explained(device: SysDevice): ExplainedDevice {
  const { devpath, name, subsystem, devtype, driver, udev } = device;
  return { devpath, name, subsystem, devtype, driver, udev, usb: usbIds(device), pci: pciIds(device) };
}

/** Why there is no node that a path or a number leads to, as a sentence without a subject. */
function whyUnknown(inventory: Inventory, asked: string): string {
  for (const { number, devpath } of inventory.devices.values())
    if (number === asked) return `is the number of ${shown(devpath)}, which has no node below /dev`;
  if (/^[bc]\d+:\d+$/.test(asked)) return 'is the number of no device';
  if (!asked.startsWith('/dev/')) return 'is neither a path below /dev nor a number such as c188:0';
  return whyAbsent(inventory, asked);
}
