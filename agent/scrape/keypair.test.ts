import { mkdtemp, rename, rm, symlink, unlink, writeFile, mkdir } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { selfSigned } from './certificate.ts';
import type { KeyPair } from './certificate.ts';
import { followKeyPair } from './keypair.ts';

let folder = '';
let ending: AbortController;
let used: KeyPair[] = [];
let logged: string[] = [];

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'berth-keypair-'));
  ending = new AbortController();
  used = [];
  logged = [];
});
afterEach(async () => {
  ending.abort();
  await rm(folder, { recursive: true });
});

/** As the kubelet writes a Secret: a folder with both, and a link to it that is replaced. */
async function write({ cert, key }: KeyPair, version: string): Promise<void> {
  const data = join(folder, version);
  await mkdir(data);
  await writeFile(join(data, 'tls.crt'), cert);
  await writeFile(join(data, 'tls.key'), key);
  await symlink(version, join(folder, '..new'));
  await rename(join(folder, '..new'), join(folder, '..data'));
  for (const name of ['tls.crt', 'tls.key'])
    await symlink(join('..data', name), join(folder, name)).catch(() => undefined);
}

function start(): void {
  const files = { certFile: join(folder, 'tls.crt'), keyFile: join(folder, 'tls.key') };
  const destination = { write: (line: string) => void logged.push((JSON.parse(line) as { event: string }).event) };
  followKeyPair(files, (pair) => used.push(pair), { log: pino({}, destination), signal: ending.signal, pollMs: 20 });
}

test('a pair is used when it comes, and again when it is another', async () => {
  start();
  await vi.waitUntil(() => logged.length > 0, { timeout: 20_000 });
  expect([used, logged]).toEqual([[], ['metrics.certificate_unusable']]);
  const [first, second] = [selfSigned(Date.now()), selfSigned(Date.now())];
  await write(first, 'one');
  await vi.waitUntil(() => used.length === 1, { timeout: 20_000 });
  await write(second, 'two');
  await vi.waitUntil(() => used.length === 2, { timeout: 20_000 });
  expect(used).toEqual([first, second]);
});

test.each([
  ['a key of another certificate', () => ({ cert: selfSigned(Date.now()).cert, key: selfSigned(Date.now()).key })],
  ['no PEM', () => ({ cert: 'x', key: 'y' })],
])('%s is reported once and the one before stays', async (_, bad) => {
  const good = selfSigned(Date.now());
  await write(good, 'one');
  start();
  await vi.waitUntil(() => used.length === 1, { timeout: 20_000 });
  await write(bad(), 'two');
  await vi.waitUntil(() => logged.length >= 2, { timeout: 20_000 });
  const before = logged.length;
  // Both at once.
  await unlink(join(folder, '..data'));
  await vi.waitUntil(() => logged.length > before, { timeout: 20_000 });
  const [first, ...others] = logged;
  expect([first, ...new Set(others)]).toEqual(['metrics.certificate', 'metrics.certificate_unusable']);
  // Each time at most twice: a look between the two files finds them torn. There were more looks than that.
  expect(others.length).toBeLessThanOrEqual(4);
  expect(used).toEqual([good]);
});
