import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { argumentsOf, clusterFlags } from './flags.ts';
import { clusterKinds } from './get/kinds.ts';
import { isPluginName } from './name.ts';
import { clientProgram, durationOf } from './program.ts';
import type { Actions } from './program.ts';

const program = clientProgram('kubectl berth', {} as Actions, () => undefined);

test('the documentation names every command and kind, and no other command', async () => {
  const text = await readFile(join(import.meta.dirname, '../../docs/kubectl.md'), 'utf8');
  const documented = new Set([...text.matchAll(/^\| `(\w+) /gm)].map(([, name]) => name));
  const own = program.commands.map((command) => command.name()).filter((name) => name !== 'version');
  expect([...documented].toSorted()).toEqual(own.toSorted());
  for (const kind of clusterKinds) expect(text).toContain(`\`${kind}\``);
});

test('every flag of kubectl that is understood is passed on', () => {
  const camel = (flag: string): string => flag.replace(/-(\w)/g, (_, letter: string) => letter.toUpperCase());
  const long = clusterFlags.map(([flags]) => /--([\w-]+)/.exec(flags)?.[1] ?? '');
  const given = Object.fromEntries(long.map((name) => [camel(name), name === 'as-group' ? ['v'] : 'v']));
  expect(argumentsOf(given)).toEqual(long.map((name) => `--${name}=v`));
});

test.each([
  ['90s', 90_000],
  ['5m', 300_000],
  ['1h30m', 5_400_000],
  ['250ms', 250],
])('%s is a time', (text, ms) => {
  expect(durationOf(text)).toBe(ms);
});

test.each(['', '5', 'm', '5 m', '-5m', '5mm'])('%j is no time', (text) => {
  expect(() => durationOf(text)).toThrow('expected a time');
});

test.each([
  ['/usr/local/bin/kubectl-berth', true],
  ['kubectl-berth', true],
  ['/opt/berth/berth.mjs', false],
  ['/opt/kubectl-things/berth', false],
  [undefined, false],
])('called as %s it is the plugin: %s', (path, plugin) => {
  expect(isPluginName(path)).toBe(plugin);
});
