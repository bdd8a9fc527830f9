import { mkdtemp, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { PageKey, isOwnHost } from './access.ts';
import { readToken, tokenPathOf, writeToken } from './tokenfile.ts';

let folder = '';
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'berth-page-'));
});
afterEach(async () => {
  await rm(folder, { recursive: true });
});

test.each([
  ['127.0.0.1:9880', true],
  ['127.0.0.1', true],
  ['localhost:18080', true],
  ['LOCALHOST:1', true],
  ['[::1]:9880', true],
  [undefined, false],
  ['', false],
  ['node-1:9880', false],
  ['127.0.0.1.evil.example:9880', false],
  ['localhost.evil.example', false],
  ['evil.example', false],
  ['[::2]:9880', false],
  ['127.0.0.1:9880:80', false],
  ['10.0.0.1:9880', false],
])('the host %j is one of this machine: %j', (host, is) => {
  expect(isOwnHost(host)).toBe(is);
});

test('each key is another, and long enough not to be found by trying', () => {
  const [one, other] = [new PageKey(), new PageKey()];
  expect(one.token).toMatch(/^[\w-]{43}$/);
  expect(other.fits(one.token)).toBe(false);
  expect(one.fits(one.token)).toBe(true);
  expect(one.fits('')).toBe(false);
});

test('a cookie is the key among others, under a name of its own for each agent', () => {
  const [one, other] = [new PageKey(), new PageKey()];
  const [pair] = one.setCookie.split(';') as [string];
  expect(one.setCookie).toBe(`${pair}; HttpOnly; SameSite=Strict; Path=/`);
  expect(one.isIn(`a=b; ${pair};c=d`)).toBe(true);
  expect(one.isIn(`${other.setCookie.split(';')[0]}; ${pair}`)).toBe(true);
  expect(other.isIn(pair)).toBe(false);
  expect(one.isIn(`${pair}x`)).toBe(false);
  expect(one.isIn(pair.replace(/=.*/, ''))).toBe(false);
  expect(one.isIn(`other=${one.token}`)).toBe(false);
  expect(one.isIn(undefined)).toBe(false);
});

test.each([
  ['/run/berth/agent.sock', '/run/berth/page-token'],
  ['/run/berth/agent-network.sock', '/run/berth/page-token-network'],
  ['/run/other/socket', '/run/other/page-token-socket'],
])('the key of the agent at %s lies in %s', (socket, path) => {
  expect(tokenPathOf(socket)).toBe(path);
});

test('the file of the key is for root only, and replaced by the next', async () => {
  const socket = join(folder, 'agent.sock');
  writeToken(socket, 'first');
  const before = await stat(tokenPathOf(socket));
  writeToken(socket, 'second');
  const after = await stat(tokenPathOf(socket));
  expect([before.mode & 0o777, after.mode & 0o777, after.ino === before.ino]).toEqual([0o600, 0o600, false]);
  expect(await readFile(join(folder, 'page-token'), 'utf8')).toBe('second\n');
  expect(await readToken(socket)).toBe('second');
});

test('where no agent has made a key it is said whose it is', async () => {
  await expect(readToken(join(folder, 'agent.sock'))).rejects.toThrow(/token of the page cannot be read: ENOENT.*root/);
});
