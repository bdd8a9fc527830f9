import { expect, test } from 'vitest';
import { parseLink } from './btrfs.ts';
import { words } from './btrfsioctl.ts';

test('a subvolume is an entry with a name in a folder of another', () => {
  const data = Buffer.concat([words(300n, 9n), Buffer.from([4, 0]), Buffer.from('nameand more')]);
  const link = parseLink({ object: 5n, type: 156, offset: 258n, data });
  expect(link).toEqual({ id: 258n, parent: 5n, folder: 300n, name: 'name' });
});
