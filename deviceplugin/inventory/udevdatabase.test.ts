import fc from 'fast-check';
import { expect, test } from 'vitest';
import { parseUdevEntry, udevFileOf } from './udevdatabase.ts';

test('an entry has properties, links, and whether udev has finished', () => {
  const text = [
    'S:serial/by-id/usb-FTDI_FT232R-if00-port0',
    'L:0',
    'I:1234567',
    'E:ID_SERIAL_SHORT=A5069RR4',
    'E:ID_PATH=pci-0000:00:14.0-usb-0:2:1.0',
    'E:EMPTY=',
    'E:EQUALS=a=b',
    'G:systemd',
    'Q:systemd',
    'V:1',
  ].join('\n');
  expect(parseUdevEntry(text)).toEqual({
    properties: {
      ID_SERIAL_SHORT: 'A5069RR4',
      ID_PATH: 'pci-0000:00:14.0-usb-0:2:1.0',
      EMPTY: '',
      EQUALS: 'a=b',
    },
    links: ['serial/by-id/usb-FTDI_FT232R-if00-port0'],
    initialized: true,
  });
});

test('an entry without its time of initialisation is not finished', () => {
  expect(parseUdevEntry('E:A=1\nV:1\n').initialized).toBe(false);
});

test.each(['../../etc/shadow', 'a/../../b', '/etc/shadow', 'a//b', 'a/.', ''])('the link %j leads nowhere', (link) => {
  expect(parseUdevEntry(`S:${link}\n`).links).toEqual([]);
});

test('any text gives own properties, and links that stay below /dev', () => {
  const line = fc.string({ unit: fc.constantFrom('S', 'E', 'I', ':', '=', '/', '.', '\0', 'a'), maxLength: 16 });
  fc.assert(
    fc.property(fc.array(fc.oneof(line, fc.constant('E:__proto__=x'))), (lines) => {
      const { properties, links } = parseUdevEntry(lines.join('\n'));
      expect(Object.getPrototypeOf(properties)).toBe(Object.prototype);
      for (const link of links) expect(link).not.toMatch(/^\/|(^|\/)\.\.?(\/|$)/);
    }),
  );
});

test.each([
  [{ number: 'c188:0', subsystem: 'tty', name: 'ttyUSB0', ifindex: undefined }, 'c188:0'],
  [{ number: 'b259:2', subsystem: 'block', name: 'nvme0n1p2', ifindex: undefined }, 'b259:2'],
  [{ number: undefined, subsystem: 'net', name: 'eth0', ifindex: '3' }, 'n3'],
  [{ number: undefined, subsystem: 'usb', name: '1-2:1.0', ifindex: undefined }, '+usb:1-2:1.0'],
])('the entry of %j is %s', (key, file) => {
  expect(udevFileOf(key)).toBe(file);
});
