import { expect, test } from 'vitest';
import { BerthError } from '../kit/errors.ts';
import { judgeCheck } from './fsck.ts';

const judge = (exitCode: number): boolean | string => {
  try {
    return judgeCheck({ exitCode, said: 'inode 7' });
  } catch (error) {
    return error instanceof BerthError ? error.code : 'another error';
  }
};

test.each([
  [0, false],
  [1, true],
  [2, true],
  [3, true],
  [4, 'FAILED_PRECONDITION'],
  [5, 'FAILED_PRECONDITION'],
  [8, 'IO_FAILED'],
  [12, 'FAILED_PRECONDITION'],
  [16, 'IO_FAILED'],
  [32, 'IO_FAILED'],
  [128, 'IO_FAILED'],
])('exit code %d of e2fsck: %s', (exitCode, judged) => {
  expect(judge(exitCode)).toBe(judged);
});
