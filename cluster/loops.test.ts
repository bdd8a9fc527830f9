import { expect, test } from 'vitest';
import { ownedLoops, parseLoops } from './loops.ts';

const nodes = new Map([
  ['0:6 94', '/dev/loop0'],
  ['0:6 95', '/dev/loop1'],
]);
const listing = JSON.stringify({
  loopdevices: [
    { name: '/dev/loop0', 'back-ino': 11, 'back-maj:min': '254:0' },
    { name: '/dev/loop1', 'back-ino': 22, 'back-maj:min': '254:0  ' },
    { name: '/dev/loop2', 'back-ino': 94, 'back-maj:min': '  0:6' },
    { name: '/dev/loop3', 'back-ino': 11, 'back-maj:min': '7:2' },
    { name: '/dev/loop4', 'back-ino': 11, 'back-maj:min': '254:16' },
    { name: '/dev/loop5', 'back-ino': 95, 'back-maj:min': '0:6' },
  ],
});

test('a loop device belongs to a file by filesystem and inode, never by the path it was given', () => {
  const owned = ownedLoops(parseLoops(listing), new Set(['254:0 22']), new Map());
  expect(owned.map((loop) => loop.name)).toEqual(['/dev/loop1']);
});

test('loop devices on a loop device, and on a filesystem in one, come with it and before it', () => {
  const owned = ownedLoops(parseLoops(listing), new Set(['254:0 11']), nodes);
  expect(owned.map((loop) => loop.name)).toEqual(['/dev/loop3', '/dev/loop2', '/dev/loop0']);
});

test('no loop device at all is an empty listing', () => {
  expect(parseLoops('')).toEqual([]);
});
