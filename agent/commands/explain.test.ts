import { expect, test } from 'vitest';
import { explainNode } from '../../deviceplugin/units/explain.ts';
import { inventoryOf } from '../../deviceplugin/fake/inventoryof.ts';
import { recorded } from '../../deviceplugin/fake/recorded.ts';
import { rulesOf } from '../../deviceplugin/fake/surroundings.ts';
import { describe } from './explain.ts';

const serial = { name: 'a.b/serial', match: [{ subsystem: 'tty', usb: { vendor: '0403' } }] };
const later = { name: 'a.b/later', match: [{ subsystem: 'tty' }, { subsystem: 'video4linux' }] };

/** The text about a node of a machine with one adapter. */
function told(asked: string, options: { serial?: string; wide?: boolean } = {}): string {
  const inventory = inventoryOf([...recorded.usbSerial('1-2', { serial: options.serial ?? 'S1x' })]);
  return describe(explainNode(rulesOf(serial, later), inventory, asked), options.wide ?? false);
}

test('a node is told of from itself up to its bus, and then what each rule says of it, in their order', () => {
  const lines = told('/dev/ttyUSB0').split('\n');
  expect(lines[0]).toBe('/dev/ttyUSB0 (c188:0)');
  expect(lines.filter((line) => line.startsWith('  link '))).toHaveLength(2);
  expect(lines.find((line) => line.startsWith('  is '))).toBe('  is ttyUSB0: subsystem tty');
  expect(lines).toContain('  below 1-2: subsystem usb (usb_device), driver usb, usb 0403:6001 S1x');
  expect(lines.slice(lines.indexOf('a.b/serial has it'))).toEqual([
    'a.b/serial has it',
    '  match[0]: fits',
    'a.b/later would have it, but it belongs to a.b/serial',
    '  match[0]: fits',
    '  match[1]: subsystem is "tty", not video4linux',
    '',
  ]);
});

test('a link leads to the same, and wide adds what udev knows', () => {
  const link = '/dev/serial/by-path/pci-0000:00:14.0-usb-0:2:1.0-port0';
  expect(told(link)).toBe(told('/dev/ttyUSB0'));
  expect(told(link)).not.toContain('ID_BUS=usb');
  expect(told(link, { wide: true })).toContain('      ID_BUS=usb\n');
});

test('what is not there is told in one line', () => {
  expect(told('/dev/nothing')).toBe('/dev/nothing is missing\n');
  expect(told('c1:99')).toBe('c1:99 is the number of no device\n');
  expect(told('/etc/passwd\u001b[2J')).toBe(
    '/etc/passwd?[2J is neither a path below /dev nor a number such as c188:0\n',
  );
  expect(told('__proto__')).toContain('__proto__ is neither a path');
});

test('a stick that writes to terminals writes to none', () => {
  const text = told('/dev/ttyUSB0', { serial: '\u001b]0;$(reboot)\u0007\u009b2J\u202e', wide: true });
  expect(text).toContain('$(reboot)');
  expect(text).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u2028-\u202e]/);
});
