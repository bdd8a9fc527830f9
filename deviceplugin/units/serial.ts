/** Serial numbers: which hardware it is, wherever it is plugged in. Many makers give every device the same, or none. */
import { own } from './own.ts';
import { lineOf } from './facts.ts';
import type { DeviceFacts } from './facts.ts';

/** What firmware has where nobody wrote a number into it. */
const placeholders = new Set([
  'default string',
  'none',
  'n/a',
  'not applicable',
  'not specified',
  'serial',
  'serial number',
  'system serial number',
  'to be filled by o.e.m.',
  'unknown',
]);
const countings = ['0123456789ABCDEF', '123456789ABCDEF', '1234567890ABCDEF'];

/** Whether a text can tell two devices apart at all: not a placeholder, one character again and again, or a counting. */
export function isRealSerial(text: string): boolean {
  const serial = text.trim();
  if (/^(.?)\1*$/su.test(serial) || placeholders.has(serial.toLowerCase())) return false;
  return !(serial.length >= 4 && countings.some((counting) => counting.startsWith(serial.toUpperCase())));
}

/**
 * Attributes with a number of their own, by subsystem: those that the inventory always reads, so that no rule changes an ID.
 * Devices of PCI have none that a maker must fill in.
 */
const numbers: Readonly<Record<string, string>> = { nvme: 'serial', scsi: 'wwid', mmc: 'serial' };

/**
 * The serial number of the hardware that a device belongs to, with whose it is: `usb:0403:6001:A5069RR4`. From sysfs where it
 * has one: udev comes later than the kernel, and an ID must not change then. What udev calls ID_SERIAL of a USB device
 * is made of its model where it has no number.
 */
export function serialOf(device: DeviceFacts): string | undefined {
  if (device.usb !== undefined) {
    const { vendor = '', product = '', serial } = device.usb;
    return real(serial, `usb:${vendor}:${product}`);
  }
  for (const { device: each } of lineOf(device)) {
    if (each.subsystem === 'pci') break;
    const name = own(numbers, each.subsystem);
    const found = name === undefined ? undefined : real(own(each.attributes, name), each.subsystem);
    if (found !== undefined) return found;
  }
  const { udev } = device.device;
  return real(own(udev, 'ID_SERIAL_SHORT') ?? own(udev, 'ID_SERIAL'), 'udev');
}

function real(serial: string | undefined, whose: string): string | undefined {
  return serial !== undefined && isRealSerial(serial) ? `${whose}:${serial.trim()}` : undefined;
}
