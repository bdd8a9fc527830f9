/** Selectors of the configuration as lists of conditions, in the order of the configuration's keys. */
import { isLiteral, matchesPath, parseGlob } from '../config/pathglob.ts';
import type { PathGlob } from '../config/pathglob.ts';
import type { Selector } from '../config/selector.ts';
import type { DevNode } from '../inventory/inventory.ts';
import { pciConditions, usbConditions } from './busconditions.ts';
import { patternTest } from '../config/textpattern.ts';
import { listed, oneOf, shown, textFits, valueIs } from './condition.ts';
import { own } from './own.ts';
import type { Condition, Subject } from './condition.ts';
import { isRawUsb, lineOf } from './facts.ts';
import type { DeviceFacts } from './facts.ts';

/** A selector ready to be asked. */
export interface CompiledSelector {
  readonly conditions: readonly Condition[];
  /** Its path pattern, where it has one. */
  readonly path: PathGlob | undefined;
  /** The one subsystem that it can find, where its pattern is a plain name. */
  readonly subsystem: string | undefined;
  /** Attributes that it reads, also those of its parents and exceptions. */
  readonly attributes: readonly string[];
  /** Path patterns in it, also those of its exceptions. */
  readonly globs: readonly PathGlob[];
}

/** Compiles a selector for nodes: without a word on paths or USB it never finds the node of a whole USB device. */
export function compileSelector(selector: Selector): CompiledSelector {
  const compiled = compile(selector, '');
  const wantsUsb = selector.subsystem !== undefined && patternTest(selector.subsystem)('usb');
  if (selector.path !== undefined || wantsUsb) return compiled;
  return { ...compiled, conditions: [...compiled.conditions, notRaw] };
}

/** Compiles a selector for devices that have no node of their own: what groups ask of their USB device or PCI function. */
export function compileDeviceSelector(selector: Selector): CompiledSelector {
  return compile(selector, '');
}

/** Whether all conditions hold. */
export function fits({ conditions }: CompiledSelector, subject: Subject): boolean {
  for (const condition of conditions) if (!condition.holds(subject)) return false;
  return true;
}

/** Why a selector does not fit, in the first condition that does not hold. */
export function failureOf({ conditions }: CompiledSelector, subject: Subject): string | undefined {
  return conditions.find((condition) => !condition.holds(subject))?.failure(subject);
}

/** Whether a selector names one path exactly, and so finds what is denied to patterns. */
export function isExact({ path }: CompiledSelector): boolean {
  return path !== undefined && isLiteral(path);
}

/** The path by which a pattern finds a node: its own, or the first link that fits. */
export function pathFoundBy(glob: PathGlob, node: DevNode): string | undefined {
  return matchesPath(glob, node.path) ? node.path : node.links.find((link) => matchesPath(glob, link));
}

const notRaw: Condition = {
  holds: (subject) => subject.node === undefined || !isRawUsb(subject),
  failure: () => 'it is the node of a whole USB device, which only a path or subsystem: usb finds',
};

function compile(selector: Selector, prefix: string): CompiledSelector {
  const glob = selector.path === undefined ? undefined : parseGlob(selector.path);
  // The configuration was checked: a pattern that cannot be parsed is none.
  const path = typeof glob === 'string' ? undefined : glob;
  const parent = selector.parent && compile(selector.parent, `${prefix}parent.`);
  const not = selector.not && compile(selector.not, `${prefix}not.`);
  const text = (key: string, valueOf: (device: DeviceFacts) => string | undefined) => (pattern: string) =>
    textFits(`${prefix}${key}`, pattern, valueOf);
  const several = (key: string, valuesOf: (subject: Subject) => readonly string[]) => (pattern: string) =>
    oneOf(`${prefix}${key}`, pattern, valuesOf);
  const inner = [parent, not].filter((each) => each !== undefined);
  return {
    conditions: [
      ...given(
        selector.subsystem,
        text('subsystem', ({ device }) => device.subsystem),
      ),
      ...given(path, (each) => pathCondition(`${prefix}path`, each)),
      ...given(
        selector.name,
        text('name', ({ device }) => device.name),
      ),
      ...given(
        selector.driver,
        text('driver', ({ driver }) => driver),
      ),
      ...given(selector.usb, (usb) => usbConditions(usb, prefix)),
      ...given(selector.pci, (pci) => pciConditions(pci, prefix)),
      ...given(selector.modalias, several('modalias', modaliasesOf)),
      ...Object.entries(selector.attributes ?? {}).map(([name, pattern]) =>
        text(`attributes.${name}`, ({ device }) => own(device.attributes, name))(pattern),
      ),
      ...Object.entries(selector.udev ?? {}).map(([name, pattern]) =>
        text(`udev.${name}`, ({ device }) => own(device.udev, name))(pattern),
      ),
      ...given(selector.numaNode, (wanted) =>
        valueIs(`${prefix}numaNode`, `${wanted}`, ({ numaNode }) => numaNode?.toString()),
      ),
      ...given(selector.interface, several('interface', interfacesOf)),
      ...given(parent, (each) => parentCondition(`${prefix}parent`, each)),
      ...given(not, (each) => exception(`${prefix}not`, each)),
    ],
    path,
    subsystem: selector.subsystem !== undefined && !/[*?[]/.test(selector.subsystem) ? selector.subsystem : undefined,
    attributes: [...Object.keys(selector.attributes ?? {}), ...inner.flatMap((each) => each.attributes)],
    globs: [...given(path, (each) => each), ...inner.flatMap((each) => each.globs)],
  };
}

function given<T, C>(value: T | undefined, make: (value: T) => C | readonly C[]): readonly C[] {
  return value === undefined ? [] : ([make(value)].flat() as C[]);
}

function pathCondition(key: string, glob: PathGlob): Condition {
  return {
    holds: ({ node }) => node !== undefined && pathFoundBy(glob, node) !== undefined,
    failure: ({ node }) =>
      `${key} is ${listed(node === undefined ? [] : [node.path, ...node.links])}, not ${glob.pattern}`,
  };
}

function parentCondition(key: string, selector: CompiledSelector): Condition {
  return {
    holds: (subject) => {
      // Without a list: this is asked of every node and every device above it.
      for (let device = subject.device?.above; device !== undefined; device = device.above)
        if (fits(selector, { device, node: undefined })) return true;
      return false;
    },
    failure: (subject) => {
      // The one that came furthest is the one that was meant.
      let best: { readonly at: number; readonly why: string } = { at: -1, why: 'there is no device above it' };
      for (const device of lineOf(subject.device?.above)) {
        const asked = { device, node: undefined };
        const at = selector.conditions.findIndex((condition) => !condition.holds(asked));
        const why = selector.conditions[at]?.failure(asked);
        if (why !== undefined && at > best.at) best = { at, why: `of ${shown(device.device.name)} above it, ${why}` };
      }
      return `${key}: ${best.why}`;
    },
  };
}

function exception(key: string, selector: CompiledSelector): Condition {
  return {
    holds: (subject) => !fits(selector, subject),
    failure: () => `it is what ${key} excepts`,
  };
}

function modaliasesOf({ device }: Subject): readonly string[] {
  return lineOf(device).flatMap((each) => each.device.modalias ?? []);
}

function interfacesOf({ device }: Subject): readonly string[] {
  return device?.interfaces ?? [];
}
