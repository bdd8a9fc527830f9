import { expect, test } from 'vitest';
import { createLogger } from './log.ts';
import type { LogLevel } from './log.ts';

test('a level that changes is that of children too, whenever they were made', () => {
  const lines: string[] = [];
  const now: { level: LogLevel } = { level: 'info' };
  const log = createLogger(() => now.level, {
    write: (line) => lines.push((JSON.parse(line) as { msg: string }).msg),
  });
  const early = log.child({ component: 'a' });
  early.debug('one');
  now.level = 'debug';
  const late = early.child({ component: 'b' });
  for (const each of [log, early, late]) each.debug('two');
  now.level = 'error';
  for (const each of [log, early, late]) each.warn('three');
  late.error('four');
  expect(lines).toEqual(['two', 'two', 'two', 'four']);
});
