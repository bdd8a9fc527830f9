import { expect, test } from 'vitest';
import { groupAround, outstanding, subvolumesInside } from './subvolumelimits.ts';

const link = (parent: bigint, id: bigint): { id: bigint; parent: bigint; folder: bigint; name: string } => ({
  id,
  parent,
  folder: 256n,
  name: `${id}`,
});

test('subvolumes inside one are found at any depth, each before those inside it', () => {
  const links = [
    link(5n, 256n),
    link(256n, 300n),
    link(300n, 270n),
    link(5n, 257n),
    link(257n, 301n),
    link(256n, 302n),
  ];
  expect(subvolumesInside(256n, links)).toEqual([300n, 302n, 270n]);
  expect(subvolumesInside(301n, links)).toEqual([]);
});

test('what is outstanding is the limit less what is exclusive, of the group around it where there is one', () => {
  const groups = new Map([
    [256n, { referenced: 40n, exclusive: 30n, limit: 100n }],
    [257n, { referenced: 100n, exclusive: 100n, limit: 100n }],
    [258n, { referenced: 10n, exclusive: 10n, limit: 100n }],
    [groupAround(258n), { referenced: 150n, exclusive: 150n, limit: 100n }],
    [259n, { referenced: 10n, exclusive: 10n, limit: undefined }],
  ]);
  expect(outstanding(groups, [256n])).toBe(70n);
  expect(outstanding(groups, [257n, 258n, 259n, 999n])).toBe(0n);
});
