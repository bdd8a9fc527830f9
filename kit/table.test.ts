import { expect, test } from 'vitest';
import { formatTable } from './table.ts';

test('columns are as wide as their widest cell and lines end without blanks', () => {
  expect(
    formatTable(
      ['NAME', 'IP'],
      [
        ['web-0', '10.0.0.2'],
        ['a', ''],
      ],
    ),
  ).toBe('NAME    IP\nweb-0   10.0.0.2\na\n');
});
