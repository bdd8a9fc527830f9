import { link, mkdtemp, readdir, rename, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { createLogger } from '../../kit/log.ts';
import { nextSocket, removeStaleSockets } from './socketnames.ts';

test('a name is never given twice and says whose it is', () => {
  const names = Array.from({ length: 1_000 }, () => nextSocket('berth.dev/fuse'));
  expect(new Set(names).size).toBe(1_000);
  expect(names[0]?.slice(0, 14)).toBe(nextSocket('berth.dev/fuse').slice(0, 14));
  expect(names[0]?.slice(0, 14)).not.toBe(nextSocket('berth.dev/kvm').slice(0, 14));
  expect(names[0]?.length).toBeLessThanOrEqual(28);
});

test('sockets of a killed agent are removed; those that answer, those of others and files stay', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'berth-s-'));
  const [dead, file, live] = ['berth.dev/a', 'berth.dev/b', 'berth.dev/c'].map(nextSocket) as [string, string, string];
  for (const name of [dead, '.tmp-berth-0123ab', '.tmp-other', 'berth-csi-reg.sock']) {
    const path = join(folder, name);
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(path, resolve));
    await link(path, `${path}.kept`);
    await new Promise((resolve) => server.close(resolve));
    await rename(`${path}.kept`, path);
  }
  await writeFile(join(folder, file), '');
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(join(folder, live), resolve));
  await removeStaleSockets(folder, createLogger('error'));
  expect((await readdir(folder)).sort()).toEqual([file, live, '.tmp-other', 'berth-csi-reg.sock'].sort());
  await new Promise((resolve) => server.close(resolve));
  await removeStaleSockets(join(folder, 'none'), createLogger('error'));
  await rm(folder, { recursive: true });
});
