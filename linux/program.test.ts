import { closeSync, openSync, readdirSync } from 'node:fs';
import { expect, test } from 'vitest';
import { runProgram } from './program.ts';

const timeoutMs = 20_000;
const shell = (script: string, ms = timeoutMs): ReturnType<typeof runProgram> =>
  runProgram('sh', ['-c', script], { timeoutMs: ms });

test('the exit code and both outputs in their order', async () => {
  expect(await shell('echo one; echo two >&2; exit 3')).toEqual({ code: 3, signal: undefined, output: 'one\ntwo\n' });
});

test('a program that says nothing and one that has an argument of any kind', async () => {
  expect(await runProgram('true', [], { timeoutMs })).toEqual({ code: 0, signal: undefined, output: '' });
  const { output } = await runProgram('printf', ['%s|', '', 'a b', '$(x)', 'é'], { timeoutMs });
  expect(output).toBe('|a b|$(x)|é|');
});

test('a program that is nowhere is named', async () => {
  const missing = runProgram('mkfs.nothing', [], { timeoutMs });
  await expect(missing).rejects.toMatchObject({
    code: 'ENOENT',
    message: expect.stringContaining('mkfs.nothing') as string,
  });
});

test('one that takes too long is killed with its children', async () => {
  expect(await shell('sleep 600 & sleep 600', 50)).toEqual({ code: undefined, signal: 9, output: '' });
});

test('of a lot of output the end is kept', async () => {
  const { output, code } = await shell('seq 1 100000; echo last');
  expect([code, output.length, output.endsWith('100000\nlast\n')]).toEqual([0, 64 * 1024, true]);
});

test('it has an empty input, two variables, no ignored signal and none of our files', async () => {
  process.env['BERTH_TEST_SECRET'] = 'secret';
  const file = openSync(import.meta.filename, 'r');
  const { output } = await shell('cat; env; grep -E "^Sig(Blk|Ign)" /proc/self/status; ls -l /proc/self/fd');
  closeSync(file);
  expect(output).not.toContain('secret');
  expect(output).toMatch(/LC_ALL=C\n/);
  expect(output).toMatch(/SigBlk:\t0+\nSigIgn:\t0+\n/);
  expect(output).toContain('0 -> /dev/null');
  expect(output).not.toContain('program.test.ts');
});

test('many at once, and no descriptor remains', async () => {
  const before = readdirSync('/proc/self/fd').length;
  const codes = await Promise.all(Array.from({ length: 32 }, (_, code) => shell(`exit ${code}`)));
  expect(codes.map(({ code }) => code)).toEqual(Array.from({ length: 32 }, (_, code) => code));
  expect(readdirSync('/proc/self/fd').length).toBeLessThanOrEqual(before);
});
