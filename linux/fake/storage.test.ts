import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { FakeStorageKernel } from './storage.ts';
import { storageContract } from './storagecontract.ts';

let folder = '';
let kernel = new FakeStorageKernel(1n);
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'berth-fake-storage-'));
  kernel = new FakeStorageKernel(1n << 30n);
});
afterEach(async () => {
  await rm(folder, { recursive: true });
});

describe('the fake storage kernel', () => {
  storageContract(() => ({ folder, ...pick(kernel) }));
});

function pick({
  mounts,
  loops,
  filesystems,
}: FakeStorageKernel): Pick<FakeStorageKernel, 'mounts' | 'loops' | 'filesystems'> {
  return { mounts, loops, filesystems };
}

test('removing a file gives its space back', async () => {
  const file = join(folder, 'a.img');
  await kernel.filesystems.allocate(file, 1n << 29n);
  await rm(file);
  expect((await kernel.filesystems.usage(folder)).bytes.available).toBe(1n << 30n);
});
