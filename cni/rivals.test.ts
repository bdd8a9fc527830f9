import { execFileSync } from 'node:child_process';
import { mkdir, mkdtemp, rm, symlink, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { createLogger } from '../kit/log.ts';
import { networkSchema } from './config.ts';
import { RivalWatch, findRivals } from './rivals.ts';

let folder = '';
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'berth-rivals-'));
});
afterEach(async () => {
  await rm(folder, { recursive: true });
});

function config() {
  return networkSchema.parse({ cniConfDir: folder });
}

const list = JSON.stringify({ cniVersion: '1.0.0', name: 'x', plugins: [{ type: 'ptp' }] });

test('those that come first are named in their order, others are not', async () => {
  for (const name of ['03-b.conflist', '01-a.conflist', '09-late.conflist', '02-notes.txt', '05-berth.conflist'])
    await writeFile(join(folder, name), list);
  await writeFile(join(folder, '04-c.conf'), JSON.stringify({ type: 'ptp' }));
  expect(await findRivals(config())).toEqual([
    { name: '01-a.conflist' },
    { name: '03-b.conflist' },
    { name: '04-c.conf' },
  ]);
});

test('a folder that is not there has none', async () => {
  expect(await findRivals({ cniConfDir: join(folder, 'none'), conflistName: 'x' })).toEqual([]);
});

test.each<[string, (path: string) => Promise<unknown>, RegExp]>([
  ['no JSON', (path) => writeFile(path, '{'), /not JSON/],
  ['nothing in it', (path) => writeFile(path, ''), /not JSON/],
  ['JSON of another kind', (path) => writeFile(path, 'null'), /no plugin/],
  ['no plugins', (path) => writeFile(path, '{"plugins": []}'), /no plugin/],
  ['plugins of a wrong type', (path) => writeFile(path, '{"plugins": [{"type": 7}]}'), /no plugin/],
  ['null for a plugin', (path) => writeFile(path, '{"plugins": [null]}'), /no plugin/],
  ['far too much in it', (path) => writeFile(path, '').then(() => truncate(path, 2 ** 30)), /1073741824 bytes/],
  ['the form of a folder', (path) => mkdir(path), /no file/],
  ['the form of a pipe', (path) => Promise.resolve(execFileSync('mkfifo', [path])), /no file/],
  ['a target that is gone', (path) => symlink('nowhere', path), /ENOENT/],
  ['itself for a target', (path) => symlink('00-x.conflist', path), /ELOOP/],
  ['a device for a target', (path) => symlink('/dev/zero', path), /no file/],
])('one with %s is told with the reason', async (_what, make, reason) => {
  await make(join(folder, '00-x.conflist'));
  const [rival] = await findRivals(config());
  expect(rival?.problem).toMatch(reason);
});

test('what is found is said once until it changes, and when it is over', async () => {
  const said: string[] = [];
  const log = createLogger('info', { write: (line: string) => said.push(line) });
  const watch = new RivalWatch(config(), log);
  const path = join(folder, '00-x.conflist');
  await watch.look();
  await writeFile(path, list);
  await watch.look();
  await watch.look();
  await writeFile(path, '{');
  await watch.look();
  await rm(path);
  await watch.look();
  await watch.look();
  expect(said.map((line) => (JSON.parse(line) as { event: string }).event)).toEqual([
    'conflist.rival',
    'conflist.broken_rival',
    'conflist.first',
  ]);
});
