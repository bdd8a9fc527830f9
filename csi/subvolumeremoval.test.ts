// What happens to the quota groups of destroyed subvolumes, whose bytes the kernel counts later.
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { SubvolumeRemoval } from './subvolumeremoval.ts';
import type { SubvolumeRemovalParts } from './subvolumeremoval.ts';

let trash: string;
beforeEach(async () => {
  trash = await mkdtemp(join(tmpdir(), 'bs-'));
});
afterEach(async () => {
  await rm(trash, { recursive: true });
});

/** A filesystem on which subvolume 300 is gone, and its bytes are counted until `commits` more commits. */
function filesystem(commits: number, inconsistent = false): { parts: SubvolumeRemovalParts; removed: bigint[] } {
  let left = commits;
  const removed: bigint[] = [];
  const group = { referenced: 0n, exclusive: 0n, limit: undefined };
  const parts = {
    trash,
    subvolumes: {
      exists: () => Promise.resolve(false),
      clean: () => Promise.resolve(),
      commit: () => {
        left--;
        return Promise.resolve();
      },
    },
    quotas: {
      group: (_: string, id: bigint) =>
        Promise.resolve(removed.includes(id) ? undefined : { ...group, referenced: id === 300n && left > 0 ? 9n : 0n }),
      status: () => Promise.resolve({ mode: 'full', inconsistent, scanning: false }),
      removeGroup: (_: string, id: bigint) => {
        expect(left <= 0 || inconsistent || id !== 300n).toBe(true);
        return Promise.resolve(removed.push(id) > 0);
      },
    },
    limits: {},
  };
  return { parts: parts as unknown as SubvolumeRemovalParts, removed };
}

test.each([0, 1, 3])('a group whose bytes are counted for %d more commits is removed after them', async (commits) => {
  await writeFile(join(trash, '.dropped-300'), '');
  const { parts, removed } = filesystem(commits);
  const removal = new SubvolumeRemoval(parts);
  await vi.waitFor(async () => {
    await removal.finish();
    expect(removed[0]).toBe(300n);
  });
  expect(await readdir(trash)).toEqual([]);
});

test('one whose count will stay wrong is removed', async () => {
  await writeFile(join(trash, '.dropped-300'), '');
  const { parts, removed } = filesystem(1e9, true);
  await new SubvolumeRemoval(parts).finish();
  expect(removed[0]).toBe(300n);
});
