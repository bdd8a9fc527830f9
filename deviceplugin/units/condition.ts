/** One thing that a rule asks of a device: whether it holds and, for who wonders, why it does not. */
import { patternTest } from '../config/textpattern.ts';
import type { DevNode } from '../inventory/inventory.ts';
import type { DeviceFacts } from './facts.ts';

/** What is asked: a node with its device, or a device alone. */
export interface Subject {
  readonly device: DeviceFacts | undefined;
  readonly node: DevNode | undefined;
}

export interface Condition {
  readonly holds: (subject: Subject) => boolean;
  /** Of a condition that does not hold: both values, as `usb.serial is "A50285BI", not 0001*`. */
  readonly failure: (subject: Subject) => string;
}

/** A text of the device that a pattern fits. `key` is how the configuration names it. */
export function textFits(
  key: string,
  pattern: string,
  valueOf: (device: DeviceFacts) => string | undefined,
): Condition {
  return about(key, pattern, valueOf, patternTest(pattern));
}

/** A value of the device that is exactly this one. */
export function valueIs(key: string, wanted: string, valueOf: (device: DeviceFacts) => string | undefined): Condition {
  return about(key, wanted, valueOf, (value) => value === wanted);
}

/** A value of the device that is as a test says; `wanted` is how the configuration writes it. */
export function about(
  key: string,
  wanted: string,
  valueOf: (device: DeviceFacts) => string | undefined,
  test: (value: string) => boolean,
): Condition {
  const valueIn = ({ device }: Subject): string | undefined => (device === undefined ? undefined : valueOf(device));
  return {
    holds: (subject) => {
      const value = valueIn(subject);
      return value !== undefined && test(value);
    },
    failure: (subject) => `${key} is ${shown(valueIn(subject))}, not ${wanted}`,
  };
}

/** One of several texts that a pattern fits. */
export function oneOf(key: string, pattern: string, valuesOf: (subject: Subject) => readonly string[]): Condition {
  const test = patternTest(pattern);
  return {
    holds: (subject) => valuesOf(subject).some(test),
    failure: (subject) => `${key} is ${listed(valuesOf(subject))}, not ${pattern}`,
  };
}

const shownValues = 5;
const shownLength = 80;

/** A text of the hardware as it may be shown: quoted, without control characters, and not longer than a line. */
export function shown(value: string | undefined): string {
  if (value === undefined) return 'not known';
  const short = value.length > shownLength ? `${value.slice(0, shownLength)}…` : value;
  return JSON.stringify(short.replace(/[\u007f-\u009f\u2028-\u202e\u2066-\u2069]/g, '\ufffd'));
}

/** Several of them. */
export function listed(values: readonly string[]): string {
  if (values.length === 0) return 'not known';
  const first = values.slice(0, shownValues).map(shown).join(', ');
  return values.length > shownValues ? `${first} …` : first;
}
