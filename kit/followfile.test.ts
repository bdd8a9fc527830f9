import { mkdir, mkdtemp, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { followFile } from './followfile.ts';
import type { FileContent } from './followfile.ts';

let folder = '';
let end = new AbortController();
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'berth-file-'));
  end = new AbortController();
});
afterEach(async () => {
  end.abort();
  await rm(folder, { recursive: true });
});

/** Follows the file of a ConfigMap as the kubelet mounts it; no look but for events. */
function follow(): { readonly seen: FileContent[]; readonly look: () => Promise<void> } {
  const seen: FileContent[] = [];
  const options = { signal: end.signal, largest: 100, pollMs: 3_600_000 };
  return { seen, look: followFile(join(folder, 'config.yaml'), (content) => seen.push(content), options) };
}

async function until(seen: readonly FileContent[], ...wanted: readonly FileContent[]): Promise<void> {
  await vi.waitFor(
    () => {
      expect(seen).toEqual(wanted);
    },
    { timeout: 20_000 },
  );
}

/** The kubelet's way: a new folder, a new link in place of the old one, and the old folder removed. */
async function putVersion(name: string, text: string, old?: string): Promise<void> {
  await mkdir(join(folder, name));
  await writeFile(join(folder, name, 'config.yaml'), text);
  await symlink(name, join(folder, '..data_tmp'));
  await rename(join(folder, '..data_tmp'), join(folder, '..data'));
  if (old !== undefined) await rm(join(folder, old), { recursive: true });
}

test('each version of a mounted ConfigMap is seen by its event, and the same text is no change', async () => {
  await putVersion('..1', 'one');
  await symlink('..data/config.yaml', join(folder, 'config.yaml'));
  const { seen, look } = follow();
  await until(seen, { text: 'one' });
  await putVersion('..2', 'two', '..1');
  await until(seen, { text: 'one' }, { text: 'two' });
  await putVersion('..3', 'two', '..2');
  await look();
  await putVersion('..4', 'one', '..3');
  await until(seen, { text: 'one' }, { text: 'two' }, { text: 'one' });
});

/** In one step: a look between the making of a file and its filling would see an empty one. */
async function put(path: string, text: string): Promise<void> {
  await writeFile(`${path}.new`, text);
  await rename(`${path}.new`, path);
}

test('whoever asks sees what stands there now, also what was written in place', async () => {
  const path = join(folder, 'config.yaml');
  await put(path, 'one');
  const { seen, look } = follow();
  await look();
  await writeFile(path, 'two', { flag: 'r+' });
  await look();
  expect(seen).toEqual([{ text: 'one' }, { text: 'two' }]);
});

test('a file that is gone or too large says why, once, and is there again', async () => {
  const path = join(folder, 'config.yaml');
  const { seen, look } = follow();
  await look();
  await look();
  await put(path, 'x'.repeat(101));
  await look();
  await put(path, 'one');
  await look();
  expect(seen).toEqual([
    { reason: expect.stringContaining('ENOENT') as string },
    { reason: 'it has 101 bytes' },
    { text: 'one' },
  ]);
});
