import { execFile } from 'node:child_process';
import { access, mkdtemp, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';
import manifest from '../package.json' with { type: 'json' };
import { buildPlugin } from './plugin.ts';

const run = promisify(execFile);

let folder = '';
let env: NodeJS.ProcessEnv = {};
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'berth-plugin-'));
  await buildPlugin(folder);
  // As on a user's machine, where `node` is some other Node on PATH.
  env = { PATH: `${folder}:${dirname(process.execPath)}:/usr/bin:/bin` };
});
afterAll(async () => {
  await rm(folder, { recursive: true });
});

test('it is one file that starts where nothing else of Berth is', async () => {
  const { stdout } = await run('kubectl-berth', ['version'], { env, cwd: folder });
  expect(stdout).toBe(`kubectl-berth ${manifest.version} (node ${process.versions.node})\n`);
  const linked = join(folder, 'linked');
  await symlink(join(folder, 'kubectl-berth'), linked);
  expect((await run(linked, ['--help'], { env, cwd: folder })).stdout).toMatch(/^Usage: kubectl berth /);
});

test('it brings neither the kernel nor the plugins of the agent', async () => {
  const text = await readFile(join(folder, 'kubectl-berth'), 'utf8');
  expect(text).not.toMatch(/^\/\/ (node_modules\/(koffi|@grpc|netlink|prom-client|zod)|linux|protos)\//m);
  expect((await stat(join(folder, 'kubectl-berth'))).size).toBeLessThan(700_000);
});

test('it ends quietly when nobody reads any more', async () => {
  const told = await run('sh', ['-c', 'kubectl-berth --help | true; echo ended'], { env, cwd: folder });
  expect([told.stdout, told.stderr]).toEqual(['ended\n', '']);
});

test('kubectl gets its completions from it', async () => {
  const { stdout } = await run('kubectl_complete-berth', ['get', 'vol'], { env, cwd: folder });
  expect(stdout).toBe('volumes\n:4\n');
});

test.each([
  [['sail'], "error: unknown command 'sail'"],
  [['get', 'ships'], 'error: command-argument value'],
  [['status', '--timeout', 'soon'], 'error: option'],
  [['uninstall'], "error: required option '--check'"],
  [['status', '--', '--kubeconfig'], 'error: "--kubeconfig" cannot be the name of a node'],
  [['get', 'pools', '-n', '../x'], 'error: "../x" cannot be the name of a namespace'],
])('wrong arguments %j are an error as of kubectl', async (args, words) => {
  const failure = await run('kubectl-berth', args, { env, cwd: folder }).catch((error: unknown) => error);
  expect(failure).toMatchObject({ code: 1, stdout: '', stderr: expect.stringContaining(words) as string });
  expect((failure as { readonly stderr: string }).stderr.startsWith('error: ')).toBe(true);
});

test('without a kubectl it says what to install', async () => {
  const failure = await run('kubectl-berth', ['status'], { env: { ...env, KUBECTL: 'no-kubectl' } }).catch(
    (error: unknown) => error,
  );
  expect(failure).toMatchObject({
    code: 1,
    stderr: expect.stringMatching(/^error: there is no no-kubectl on PATH/) as string,
  });
});

test('no value of a flag can pass for another', async () => {
  const told = join(folder, 'told');
  const kubectl = join(folder, 'fake');
  await writeFile(kubectl, `#!/bin/sh\nprintf '%s\\n' "$@" >>${told}\nexit 1\n`, { mode: 0o755 });
  const args = ['status', '--context', '--as=root', '--as-group', 'x', '--as-group', 'y; touch z', 'a'];
  await run('kubectl-berth', args, { env: { ...env, KUBECTL: kubectl }, cwd: folder }).catch(() => undefined);
  const lines = (await readFile(told, 'utf8')).split('\n');
  expect(lines.slice(0, 3)).toEqual(['--context=--as=root', '--as-group=x', '--as-group=y; touch z']);
  await expect(access(join(folder, 'z'))).rejects.toThrow('ENOENT');
});
