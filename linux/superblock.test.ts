import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { filesystemState, identifyBytes, identifyContent } from './superblock.ts';

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

describe('the state of a filesystem', () => {
  const ext4 = ({ state = 1, incompatible = 0x2c0 }): Buffer => {
    const bytes = ext(4, incompatible);
    bytes.writeUInt32LE(0x8000_0000, 0x404);
    bytes.writeUInt32LE(1, 0x550);
    bytes.writeUInt32LE(2, 0x418);
    bytes.writeUInt16LE(state, 0x43a);
    return bytes;
  };
  const xfs = ({ inProgress = 0, incompatible = 0 }): Buffer => {
    const bytes = withText(0, 'XFSB');
    bytes.writeUInt32BE(4096, 4);
    bytes.writeBigUInt64BE(3n << 32n, 8);
    bytes.writeUInt16BE(0xb4b5, 100);
    bytes.writeUInt8(inProgress, 126);
    bytes.writeUInt32BE(incompatible, 216);
    return bytes;
  };
  const btrfs = withText(0x10040, '_BHRfS_M');
  btrfs.writeBigUInt64LE(5n << 40n, 0x100d1);

  test.each([
    [
      'ext4 with 64-bit block numbers',
      ext4({}),
      { type: 'ext4', bytes: 0x1_8000_0000n << 12n, clean: true, faulty: false },
    ],
    ['ext4 with 32-bit block numbers', ext4({ incompatible: 0x40 }), { bytes: 0x8000_0000n << 12n, clean: true }],
    ['ext4 whose journal is to be replayed', ext4({ incompatible: 0x2c4 }), { clean: false, faulty: false }],
    ['ext4 not unmounted', ext4({ state: 0 }), { clean: false }],
    ['ext4 that met errors', ext4({ state: 3 }), { clean: false, faulty: true }],
    ['XFS', xfs({}), { type: 'xfs', bytes: 3n << 44n, clean: true }],
    ['XFS not made to its end', xfs({ inProgress: 1 }), { clean: false, faulty: true }],
    ['XFS not repaired to its end', xfs({ incompatible: 0x1b }), { clean: false, faulty: true }],
    ['btrfs', btrfs, { type: 'btrfs', bytes: 5n << 40n, clean: true }],
  ])('%s', (_, bytes, state) => {
    expect(filesystemState(bytes)).toMatchObject(state);
  });

  test('there is none in other content, nor in a superblock cut short', () => {
    expect(filesystemState(Buffer.alloc(identifyBytes))).toBeUndefined();
    expect(filesystemState(ext(4, 0))).toBeUndefined();
    for (const length of [0, 4, 100, 0x464, 0x550, 0x100d2]) {
      expect(filesystemState(ext4({}).subarray(0, length))).toBeUndefined();
      expect(filesystemState(xfs({}).subarray(0, length))).toBeUndefined();
      expect(filesystemState(btrfs.subarray(0, length))).toBeUndefined();
    }
  });

  test('whatever a pod writes there is data, not an error', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 256, maxLength: 256 }), fc.constantFrom('XFSB', 'ext4'), (noise, type) => {
        const bytes = Buffer.alloc(identifyBytes);
        bytes.set(noise, type === 'XFSB' ? 0 : 0x400);
        if (type === 'XFSB') bytes.write(type, 'latin1');
        else bytes.writeUInt16LE(0xef53, 0x438);
        expect(() => filesystemState(bytes)).not.toThrow();
      }),
    );
  });
});
