import { execFileSync } from 'node:child_process';
import { expect, test } from 'vitest';
import { createTar } from './tar.ts';

test('paths longer than one field are read back by tar', () => {
  const long = `${'folder-of-a-node/'.repeat(9)}${'x'.repeat(90)}.log`;
  const archive = createTar([
    { path: 'short', type: 'file', content: Buffer.from('1') },
    { path: long, type: 'file', content: Buffer.from('2') },
  ]);
  expect(execFileSync('tar', ['-t'], { input: archive }).toString()).toBe(`short\n${long}\n`);
  expect(execFileSync('tar', ['-xO', '-f', '-', long], { input: archive }).toString()).toBe('2');
});

test('a name that fits no field is refused', () => {
  expect(() => createTar([{ path: 'x'.repeat(101), type: 'file', content: Buffer.alloc(0) }])).toThrow('longer than');
});
