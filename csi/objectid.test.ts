import { expect, test } from 'vitest';
import { newPoolId, newObjectId, poolOf } from './objectid.ts';

test('an ID names its pool, fits a label, and sorts by time', () => {
  const pool = newPoolId();
  const [older, newer] = [newObjectId('volume', pool, 1), newObjectId('volume', pool, Date.now())];
  expect(poolOf('volume', older)).toBe(pool);
  expect(newer).toMatch(/^[a-z0-9-]{38}$/);
  expect(older < newer).toBe(true);
});

test.each([
  'fake-vol-id',
  '',
  'v1-0a1b2c3d',
  'v1-0a1b2c3d-../../../../etc/passwd/xxx',
  'V1-0a1b2c3d-0123456789abcdefghjkmnpqrs',
])('%j never was an ID of ours', (text) => {
  expect(poolOf('volume', text)).toBeUndefined();
});
