import { expect, test } from 'vitest';
import { isRealSerial } from './serial.ts';

test.each([
  '',
  '   ',
  '0',
  '0000',
  '00000000000000000000',
  'FFFFFFFF',
  '0123456789',
  '0123456789AB',
  '0123456789abcdef',
  '12345678',
  '1234567890',
  'Default string',
  'To be filled by O.E.M.',
  'None',
])('%j is no serial number', (text) => {
  expect(isRealSerial(text)).toBe(false);
});

test.each(['A5069RR4', '0001', '9B2C7F1E', '00000000001A', '$(reboot)', '2023', '😀😁'])(
  '%j may be one, true or false',
  (text) => {
    expect(isRealSerial(text)).toBe(true);
  },
);
