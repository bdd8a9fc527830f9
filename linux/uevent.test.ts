import fc from 'fast-check';
import { expect, test } from 'vitest';
import { parseUevent } from './uevent.ts';

const plugged = [
  'add@/devices/virtual/misc/fuse',
  'ACTION=add',
  'DEVPATH=/devices/virtual/misc/fuse',
  'SUBSYSTEM=misc',
  'MAJOR=10',
  'MINOR=229',
  'DEVNAME=fuse',
  'SEQNUM=4711',
];

/** Each text ended by NUL, as the kernel sends it. */
function message(texts: readonly string[]): Buffer {
  return Buffer.from(texts.map((text) => `${text}\0`).join(''));
}

test('an event of the kernel says what, where, and all variables', () => {
  expect(parseUevent(message(plugged))).toEqual({
    action: 'add',
    devpath: '/devices/virtual/misc/fuse',
    subsystem: 'misc',
    properties: {
      ACTION: 'add',
      DEVPATH: '/devices/virtual/misc/fuse',
      SUBSYSTEM: 'misc',
      MAJOR: '10',
      MINOR: '229',
      DEVNAME: 'fuse',
      SEQNUM: '4711',
    },
  });
});

test('a value may be empty, have an equals sign or a line break', () => {
  const event = parseUevent(message([...plugged, 'A=', 'B=1=2', 'C=x\ny']));
  expect(event?.properties).toMatchObject({ A: '', B: '1=2', C: 'x\ny' });
});

test('the name of a variable cannot reach the prototype', () => {
  const event = parseUevent(message([...plugged, '__proto__=evil', 'constructor=evil']));
  expect(Object.keys(event?.properties ?? {})).toContain('__proto__');
  expect(({} as Record<string, unknown>).evil).toBeUndefined();
});

const libudev = Buffer.concat([
  Buffer.from('libudev\0'),
  Buffer.from(new Uint32Array([0xfeedcafe, 40, 40, 100, 0, 0, 0, 0]).buffer),
  message(plugged.slice(1)),
]);

test.each([
  ['nothing', Buffer.alloc(0)],
  ['a lone NUL', Buffer.alloc(1)],
  ['a message of udevd', libudev],
  ['one without variables', message(plugged.slice(0, 1))],
  ['one without a subsystem', message(plugged.filter((text) => !text.startsWith('SUBSYSTEM')))],
  ['one that was cut', message(plugged).subarray(0, -1)],
  ['one without an action', message(['@/devices/x', 'ACTION=', 'DEVPATH=/devices/x', 'SUBSYSTEM=x'])],
  ['one whose header and variables differ', message(['add@/devices/y', ...plugged.slice(1)])],
  [
    'one that climbs out of sysfs',
    message(['add@/devices/../../etc', 'ACTION=add', 'DEVPATH=/devices/../../etc', 'SUBSYSTEM=x']),
  ],
  ['one with a relative path', message(['add@devices', 'ACTION=add', 'DEVPATH=devices', 'SUBSYSTEM=x'])],
])('%s is no event', (_what, bytes) => {
  expect(parseUevent(bytes)).toBeUndefined();
});

test('any bytes are an event below the root of sysfs, or none', () => {
  const bytes = fc.oneof(
    fc.uint8Array({ maxLength: 512 }),
    fc
      .array(fc.string({ unit: fc.constantFrom('=', '@', '/', '.', '\0', 'A', '\n'), maxLength: 12 }))
      .map((texts) => message([...plugged, ...texts])),
    fc.nat(message(plugged).length).map((length) => message(plugged).subarray(0, length)),
  );
  fc.assert(
    fc.property(bytes, (each) => {
      const event = parseUevent(Buffer.from(each));
      if (event === undefined) return;
      expect(event.devpath).toMatch(/^\//);
      expect(event.devpath.split('/')).not.toContain('..');
      expect(event.action).not.toBe('');
    }),
  );
});
