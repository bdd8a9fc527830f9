import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { createLogger } from '../kit/log.ts';
import { formatNetwork } from './addresses.ts';
import { resolvePodRanges } from './podrange.ts';
import type { PodCidrSource } from './podrange.ts';

let folder = '';
let file = '';
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'berth-range-'));
  file = join(folder, 'run', 'podcidr');
});
afterEach(async () => {
  await rm(folder, { recursive: true });
});

const log = createLogger('error');
async function resolve(
  configured: string | readonly string[],
  source: PodCidrSource,
  signal = new AbortController().signal,
): Promise<string> {
  return (await resolvePodRanges(configured, source, file, log, signal)).map(formatNetwork).join();
}
const nobody: PodCidrSource = () => Promise.reject(new Error('no API server'));

test('a configured range asks nobody', async () => {
  expect(await resolve('10.1.0.0/24', nobody)).toBe('10.1.0.0/24');
});

test("the Node's range is remembered for a start without an API server", async () => {
  expect(await resolve('auto', () => Promise.resolve(['10.2.0.0/24']))).toBe('10.2.0.0/24');
  expect(await readFile(file, 'utf8')).toBe('10.2.0.0/24\n');
  expect(await resolve('auto', nobody)).toBe('10.2.0.0/24');
});

test('a range that cannot be remembered serves all the same', async () => {
  await writeFile(join(folder, 'run'), 'a file where the folder should be');
  expect(await resolve('auto', () => Promise.resolve(['10.2.0.0/24']))).toBe('10.2.0.0/24');
});

test('both families are taken, and remembered', async () => {
  expect(await resolve('auto', () => Promise.resolve(['10.2.0.0/24', 'fd00:2::/64']))).toBe('10.2.0.0/24,fd00:2::/64');
  expect(await resolve('auto', nobody)).toBe('10.2.0.0/24,fd00:2::/64');
  expect(await resolve(['fd00:3::/64', '10.3.0.0/24'], nobody)).toBe('fd00:3::/64,10.3.0.0/24');
});

test.each([[[]], [['10.2.0.0/24', '10.2.0.128/25']]])('the list %j is refused', async (ranges) => {
  await expect(resolve('auto', () => Promise.resolve(ranges))).rejects.toMatchObject({ code: 'CONFIG_INVALID' });
});

test('without memory the failure is reported', async () => {
  await expect(resolve('auto', nobody)).rejects.toThrow('no API server');
});

test('a changed range is used at once, and nonsense in the memory is no range', async () => {
  await resolve('auto', () => Promise.resolve(['10.2.0.0/24']));
  await writeFile(file, 'nonsense');
  await expect(resolve('auto', nobody)).rejects.toThrow('no API server');
  expect(await resolve('auto', () => Promise.resolve(['10.3.0.0/24']))).toBe('10.3.0.0/24');
});

test("a range that is none is refused with the Node's words", async () => {
  await expect(resolve('auto', () => Promise.resolve(['fd00::1/64']))).rejects.toMatchObject({
    code: 'CONFIG_INVALID',
  });
});

test('a start that is given up ends the wait', async () => {
  const stop = new AbortController();
  const waiting = resolve(
    'auto',
    (signal) =>
      new Promise((_resolve, reject) => {
        signal.addEventListener('abort', () => {
          reject(new Error('given up'));
        });
      }),
    stop.signal,
  );
  stop.abort();
  await expect(waiting).rejects.toThrow();
});
