import { expect, test } from 'vitest';
import { createLogger } from './log.ts';
import { quote } from './quote.ts';

const hostile = 'a"\n\u001b[2J\u007f\u0085\u009b2J\u2028\u202e\ud800';

test('what a terminal would obey is escaped, and reads back the same', () => {
  const quoted = quote(hostile);
  expect(quoted).toMatch(/^[ -~]+$/);
  expect(JSON.parse(quoted)).toBe(hostile);
});

test('long text is cut', () => {
  expect(quote('x'.repeat(1_000))).toHaveLength(66);
  expect(quote('abc', 2)).toBe('"ab"');
});

test('the log has none of it either, in values, keys and messages', () => {
  const lines: string[] = [];
  createLogger('info', { write: (line) => lines.push(line) }).info({ file: hostile, [hostile]: 1 }, hostile);
  expect(lines.join('')).toMatch(/^[ -~]+\n$/);
  expect(JSON.parse(lines.join(''))).toMatchObject({ file: hostile, [hostile]: 1, msg: hostile });
});
