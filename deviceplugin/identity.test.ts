import fc from 'fast-check';
import { expect, test } from 'vitest';
import { deviceId } from './identity.ts';

test('an ID is readable and the same at every call', () => {
  expect(deviceId('/dev/fuse', 0)).toBe('fuse-12109236a9969d65::0');
});

test('whatever a device calls itself, its ID is short and clean', () => {
  fc.assert(
    fc.property(fc.string(), fc.integer({ min: 0, max: 99_999 }), (name, replica) => {
      expect(deviceId(`/dev/${name}`, replica)).toMatch(/^[A-Za-z0-9][A-Za-z0-9._:-]{0,62}$/);
    }),
  );
});

test('two devices or two replicas never share an ID', () => {
  fc.assert(
    fc.property(fc.string(), fc.string(), fc.nat(9), fc.nat(9), (one, other, first, second) => {
      expect(deviceId(`/dev/${one}`, first) === deviceId(`/dev/${other}`, second)).toBe(
        one === other && first === second,
      );
    }),
  );
});
