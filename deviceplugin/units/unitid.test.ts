import fc from 'fast-check';
import { expect, test } from 'vitest';
import { identityKinds } from './identitykinds.ts';
import { unitId, unitIdPattern } from './unitid.ts';

const kind = fc.constantFrom(...identityKinds);
const text = fc.string({ unit: 'binary', maxLength: 80 });

test('an ID is readable and the same at every call', () => {
  expect(unitId('path', '/dev/fuse')).toBe('fuse-12109236a9969d65');
  expect(unitId('port', '0000:00:14.0/usb2/1.4/00/tty')).toMatch(/^0000-00-14-0-usb2-1-4-00-tty-[0-9a-f]{16}$/);
});

test.each(['', '$(reboot)', '../../etc/passwd', '\u0000\u202e', 'x'.repeat(10_240), '😀', '-', '_._'])(
  'hardware that calls itself %j gets a clean and short ID',
  (hostile) => {
    const id = unitId('serial', hostile);
    expect(id).toMatch(unitIdPattern);
    expect(id.length).toBeLessThanOrEqual(56);
  },
);

test('whatever a device calls itself, its ID is clean', () => {
  fc.assert(
    fc.property(kind, text, (as, hostile) => {
      expect(unitId(as, hostile)).toMatch(unitIdPattern);
    }),
  );
});

test('two devices never share an ID, nor do two kinds of saying who one is', () => {
  fc.assert(
    fc.property(kind, kind, text, text, (oneKind, otherKind, one, other) => {
      expect(unitId(oneKind, `/dev/${one}`) === unitId(otherKind, `/dev/${other}`)).toBe(
        oneKind === otherKind && Buffer.from(one).equals(Buffer.from(other)),
      );
    }),
  );
});
