import { expect, test } from 'vitest';
import { node, state } from './fake/state.ts';
import { lastingLink, namedPath } from './namedpath.ts';

const byId = '/dev/serial/by-id/usb-FTDI_A1-if00-port0';
const byPath = '/dev/serial/by-path/pci-0000:00:14.0-usb-0:1:1.0-port0';
const tty = node('/dev/ttyUSB0', { links: ['/dev/modem', byId, byPath] });

test.each([
  ['a pattern of the node', { paths: ['/dev/ttyUSB*'] }, '/dev/ttyUSB0'],
  ['a pattern of a link', { paths: ['/dev/serial/by-id/usb-*'] }, byId],
  ['patterns of both', { paths: ['/dev/serial/by-id/usb-*', '/dev/ttyUSB*'] }, '/dev/ttyUSB0'],
  ['a selector with a path', { match: [{ path: '/dev/modem' }] }, '/dev/modem'],
  ['a selector without', { match: [{ subsystem: 'tty' }] }, '/dev/ttyUSB0'],
  ['an exact link', { together: ['/dev/modem', '/dev/null'] }, '/dev/modem'],
  ['a folder of links', { directory: '/dev/serial/by-path' }, byPath],
  ['a companion by its link', { match: [{ subsystem: 'usb' }], with: ['/dev/modem'] }, '/dev/modem'],
  [
    'a member of a group',
    { group: { by: 'usbDevice', members: [{ role: 'a', match: { path: '/dev/serial/by-id/*' } }] } },
    byId,
  ],
])('%s names a node by %s', (_what, rule, path) => {
  expect(namedPath(state(rule, []).rule, tty)).toBe(path);
});

test.each([
  ['the ID before the port', tty, true, byId],
  ['the port where another device has the same serial number', tty, false, byPath],
  ['no link that only a person made', node('/dev/ttyUSB0', { links: ['/dev/modem'] }), true, undefined],
])('a lasting link is %s', (_what, of, alone, link) => {
  expect(lastingLink(state({}, []).rule, of, alone)).toBe(link);
});

test('the link that a rule names is the lasting one, whatever it is', () => {
  expect(lastingLink(state({ paths: ['/dev/mod*'] }, []).rule, tty, false)).toBe('/dev/modem');
});
