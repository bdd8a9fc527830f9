import { expect, test } from 'vitest';
import { keyAfter, lastOffset, parseItems } from './btrfssearch.ts';

/** An argument as the kernel fills it: the count among the key's words, then header and data of each item. */
function filled(items: readonly { object: bigint; type: number; offset: bigint; data: Buffer }[]): Buffer {
  const head = Buffer.alloc(112);
  head.writeUInt32LE(items.length, 64);
  const parts = items.map(({ object, type, offset, data }) => {
    const header = Buffer.alloc(32);
    header.writeBigUInt64LE(object, 8);
    header.writeBigUInt64LE(offset, 16);
    header.writeUInt32LE(type, 24);
    header.writeUInt32LE(data.length, 28);
    return Buffer.concat([header, data]);
  });
  return Buffer.concat([head, ...parts]);
}

test('items are read in order, up to the end of a torn answer', () => {
  const items = [
    { object: 5n, type: 156, offset: 257n, data: Buffer.from('first') },
    { object: 5n, type: 156, offset: 258n, data: Buffer.alloc(0) },
  ];
  const argument = filled(items);
  expect(parseItems(argument)).toEqual(items);
  expect(parseItems(argument.subarray(0, argument.length - 1))).toEqual(items.slice(0, 1));
});

test.each([
  ['an offset', { object: 5n, type: 1, offset: 7n }, { object: 5n, type: 1, offset: 8n }],
  ['the last offset', { object: 5n, type: 1, offset: lastOffset }, { object: 5n, type: 2, offset: 0n }],
  ['the last type', { object: 5n, type: 255, offset: lastOffset }, { object: 6n, type: 0, offset: 0n }],
  ['the last key', { object: lastOffset, type: 255, offset: lastOffset }, undefined],
])('the key after %s', (_, key, next) => {
  expect(keyAfter(key)).toEqual(next);
});
