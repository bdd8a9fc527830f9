import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { describe, expect, test } from 'vitest';
import { clientProgram } from '../program.ts';
import type { Actions } from '../program.ts';
import { completionAnswer } from './answer.ts';
import { completionScript, shells } from './scripts.ts';
import { complete } from './words.ts';

const program = clientProgram('kubectl berth', {} as Actions, () => undefined);
const words = (...typed: string[]): string[] => complete(program, typed).candidates.map(({ word }) => word);
const names = (...typed: string[]): string[] =>
  complete(program, typed).names.map(({ kind, after }) => `${after}<${kind}>`);

describe('what can follow', () => {
  test.each([
    [[''], ['status', 'get', 'explain', 'doctor', 'bundle', 'uninstall', 'version', 'help']],
    [['st'], ['status']],
    [['get', 'p'], ['pools']],
    [['get', '--node', 'a', 'v'], ['volumes']],
    [
      ['get', '-n', 'shop', 'pools', '--no'],
      ['--node', '--no-headers'],
    ],
    [
      ['get', 'pools', '-o', ''],
      ['wide', 'json', 'yaml', 'name'],
    ],
    [['status', '--output=j'], ['--output=json']],
    [
      ['explain', 'p'],
      ['pod/', 'pvc/'],
    ],
    [['uninstall', '--ch'], ['--check']],
    [
      ['nonsense', ''],
      ['status', 'get', 'explain', 'doctor', 'bundle', 'uninstall', 'version', 'help'],
    ],
  ])('%j', (typed, expected) => {
    expect(words(...typed).toSorted()).toEqual(expected.toSorted());
  });

  test.each([
    [['status', ''], '<node>'],
    [['status', 'a', ''], '<node>'],
    [['get', 'pools', '--node', ''], '<node>'],
    [['get', 'pools', '-n', ''], '<namespace>'],
    [['status', '--context=h'], '--context=<context>'],
    [['explain', 'pod/t'], 'pod/<pod>'],
    [['explain', 'pvc', ''], '<pvc>'],
  ])('%j asks the cluster for %s', (typed, expected) => {
    expect(names(...typed)).toEqual([expected]);
  });

  test('files only where a file is meant', () => {
    expect(complete(program, ['bundle', '-o', '']).files).toBe(true);
    expect(complete(program, ['status', '--kubeconfig', '']).files).toBe(true);
    expect(complete(program, ['get', 'pools', '']).files).toBe(false);
  });
});

describe('the answer', () => {
  const kubectl =
    (stdout: string, code = 0) =>
    () =>
      Promise.resolve({ code, stdout, stderr: '' });
  const answer = (typed: readonly string[], ...ran: [string, number?]): Promise<string> =>
    completionAnswer(complete(program, typed), typed.at(-1) ?? '', kubectl(...ran), undefined);

  test('is a line for each, and what the shell shall do', async () => {
    expect(await answer(['explain', 'pod/t'], 'pod/till\npod/other\n')).toBe('pod/till\n:4\n');
    expect(await answer(['explain', 'po'], '')).toBe('pod/\n:6\n');
    expect(await answer(['bundle', '-o', ''], '')).toBe(':0\n');
    expect(await answer(['sta'], '')).toBe('status\tsay whether Berth is well on every node, and if not, why\n:4\n');
  });

  test('has no name that could be more than one', async () => {
    expect(await answer(['status', ''], 'node/a\nnode/$(reboot)\nnode/--x\n')).toBe('a\n:4\n');
  });

  test('is empty when no cluster answers', async () => {
    expect(await answer(['status', ''], 'node/a\n', 1)).toBe(':4\n');
  });
});

test.each(shells)('the script for %s names only the program', (shell) => {
  const script = completionScript(shell, 'berth');
  expect(script).toContain('berth __complete');
  expect(script).not.toMatch(/PROGRAM|OWN/);
});

test('bash completes with it', async () => {
  const line = (...typed: string[]): string =>
    `COMP_WORDS=(berth ${typed.join(' ')}); COMP_CWORD=${typed.length}; __berth_complete; printf '%s\\n' "\${COMPREPLY[@]}"`;
  // What the program answers, without the program.
  const answer = `berth() { printf 'volumes\\nview\\tto look\\n:4\\n'; }`;
  const script = `${completionScript('bash', 'berth')}\n${answer}\n${line('get', 'v')}`;
  const { stdout } = await promisify(execFile)('bash', ['--norc', '-c', script]);
  expect(stdout).toBe('volumes\nview\n');
});
