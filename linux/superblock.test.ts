import { expect, test } from 'vitest';
import { identifyBytes, identifyContent } from './superblock.ts';

function withText(offset: number, text: string): Buffer {
  const bytes = Buffer.alloc(identifyBytes);
  bytes.write(text, offset, 'latin1');
  return bytes;
}

function ext(compatible: number, incompatible: number): Buffer {
  const bytes = Buffer.alloc(identifyBytes);
  bytes.writeUInt16LE(0xef53, 0x438);
  bytes.writeUInt32LE(compatible, 0x45c);
  bytes.writeUInt32LE(incompatible, 0x460);
  bytes.fill(0xab, 0x468, 0x478);
  return bytes;
}

test.each([
  ['zeroes', Buffer.alloc(identifyBytes), { kind: 'empty' }],
  ['nothing at all', Buffer.alloc(0), { kind: 'empty' }],
  ['one stray byte at the end', withText(identifyBytes - 1, 'x'), { kind: 'unknown' }],
  ['XFS', withText(0, 'XFSB'), { kind: 'filesystem', type: 'xfs' }],
  ['btrfs', withText(0x10040, '_BHRfS_M'), { kind: 'filesystem', type: 'btrfs' }],
  ['ext4', ext(4, 0x40), { kind: 'filesystem', type: 'ext4', uuid: 'abababab-abab-abab-abab-abababababab' }],
  ['ext3', ext(4, 0), { kind: 'filesystem', type: 'ext3' }],
  ['ext2', ext(0, 0), { kind: 'filesystem', type: 'ext2' }],
  ['swap', withText(4086, 'SWAPSPACE2'), { kind: 'other', type: 'swap' }],
  ['LUKS', withText(0, 'LUKS\xba\xbe'), { kind: 'other', type: 'luks' }],
  ['a partition table', withText(510, '\x55\xaa'), { kind: 'other', type: 'partition table' }],
  ['GPT on 4 KiB sectors', withText(4096, 'EFI PART'), { kind: 'other', type: 'gpt' }],
])('%s is recognised', (_, bytes, content) => {
  expect(identifyContent(bytes)).toMatchObject(content);
});

test('a superblock cut short is data, not an error and not emptiness', () => {
  const whole = ext(4, 0x40);
  for (const length of [0x439, 0x43a, 0x45d, 0x464, 0x470]) {
    expect(identifyContent(whole.subarray(0, length)).kind).not.toBe('empty');
  }
});
