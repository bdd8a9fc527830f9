import { execFileSync } from 'node:child_process';
import { mkdir, mkdtemp, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { resource } from './config/resource.ts';
import { followRulesFolder, readRulesFolder } from './rulesfolder.ts';
import type { FolderContent } from './rulesfolder.ts';

let folder = '';
const config = { resources: [resource.parse({ name: 'a.b/own', paths: ['/dev/own'] })], mountRoots: [] };
const rule = (name: string): string => `resources: [{name: a.b/${name}, paths: [/dev/${name}]}]\n`;
const namesOf = (content: FolderContent | undefined): readonly string[] =>
  content === undefined || 'problems' in content ? ['problems'] : content.rules.map(({ name }) => name);

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'berth-rules-'));
});

afterEach(async () => {
  await rm(folder, { recursive: true });
});

test('a folder that is not there has no rules', async () => {
  await expect(readRulesFolder(join(folder, 'absent'), config)).resolves.toEqual({ rules: [] });
});

test('files are taken in the order of their names; hidden ones and others are not', async () => {
  await writeFile(join(folder, 'b.yaml'), rule('two'));
  await writeFile(join(folder, 'a.yml'), rule('one'));
  await writeFile(join(folder, '.c.yaml'), rule('three'));
  await writeFile(join(folder, 'README.md'), 'not rules');
  expect(namesOf(await readRulesFolder(folder, config))).toEqual(['a.b/one', 'a.b/two']);
});

test.each([
  ['no YAML', 'resources: [', /x\.yaml:1: YAML/],
  ['an unknown key', 'resources: []\nother: 1\n', /x\.yaml:2: other: unknown key/],
  ['a wrong rule', 'resources:\n  - {name: a.b/x, paths: [/etc/passwd]}\n', /x\.yaml:2: resources\[0\]\.paths\[0\]/],
  ['a name of the NodeConfig', rule('own'), /"a\.b\/own" is in devices\.resources of the NodeConfig, too/],
  ['a name of another file', rule('one'), /x\.yaml.*"a\.b\/one" is in \S+\/a\.yaml, too/],
])('%s is named with file and line, and nothing of the folder is taken', async (_what, text, says) => {
  await writeFile(join(folder, 'a.yaml'), rule('one'));
  await writeFile(join(folder, 'x.yaml'), text);
  const content = await readRulesFolder(folder, config);
  expect('problems' in content ? content.problems.join('\n') : 'no problem').toMatch(says);
});

test('a pipe, a folder, a file too large and a file without end are refused, and nobody waits for them', async () => {
  execFileSync('mkfifo', [join(folder, 'x.yaml')]);
  expect(await readRulesFolder(folder, config)).toEqual({ problems: [`${join(folder, 'x.yaml')}: it is no file`] });
  await rm(join(folder, 'x.yaml'));
  await writeFile(join(folder, 'x.yaml'), `# ${'x'.repeat(1024 * 1024)}`);
  expect(await readRulesFolder(folder, config)).toMatchObject({
    problems: [expect.stringMatching(/has 1048578 bytes/)],
  });
  await rm(join(folder, 'x.yaml'));
  await symlink('/dev/zero', join(folder, 'x.yaml'));
  expect(await readRulesFolder(folder, config)).toMatchObject({ problems: [expect.stringMatching(/it is no file/)] });
});

test('a mounted ConfigMap is followed from one version to the next, each seen whole', async () => {
  const version = async (name: string, files: Readonly<Record<string, string>>): Promise<void> => {
    await mkdir(join(folder, name));
    for (const [file, text] of Object.entries(files)) await writeFile(join(folder, name, file), text);
    await symlink(name, join(folder, '..data_tmp'));
    await rename(join(folder, '..data_tmp'), join(folder, '..data'));
  };
  await version('..1', { 'a.yaml': rule('one'), 'b.yaml': rule('two') });
  for (const file of ['a.yaml', 'b.yaml']) await symlink(`..data/${file}`, join(folder, file));
  const seen: (readonly string[])[] = [];
  const end = new AbortController();
  followRulesFolder(folder, config, (content) => seen.push(namesOf(content)), end.signal);
  await vi.waitFor(
    () => {
      expect(seen).toEqual([['a.b/one', 'a.b/two']]);
    },
    { timeout: 20_000 },
  );
  await version('..2', { 'a.yaml': rule('three'), 'b.yaml': rule('four') });
  await vi.waitFor(
    () => {
      expect(seen).toEqual([
        ['a.b/one', 'a.b/two'],
        ['a.b/three', 'a.b/four'],
      ]);
    },
    { timeout: 20_000 },
  );
  end.abort();
});
