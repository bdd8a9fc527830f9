/** The real program with a kubectl that puts a secret into everything that it tells. */
import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { gunzipSync } from 'node:zlib';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { agentPod } from '../testobjects.ts';
import { archiveOf } from './archive.ts';

const canary = 'CaNaRy0123456789abcdef';

let folder = '';
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'berth-bundle-'));
});
afterEach(async () => {
  await rm(folder, { recursive: true });
});

/** What stands in every object and every log. */
const secrets = [
  `eyJhbGciOiJSUzI1NiJ9.eyJ${canary}.${canary}`,
  `-----BEGIN PRIVATE KEY-----\n${canary}\n-----END PRIVATE KEY-----`,
  `https://user:${canary}@host.example/`,
  `authorization: Bearer ${canary}`,
  `token: ${canary}`,
  `--password=${canary}`,
];

async function writeKubectl(): Promise<string> {
  const object = {
    metadata: {
      name: 'x',
      annotations: { note: secrets.join(' '), 'kubectl.kubernetes.io/last-applied-configuration': canary },
    },
    data: { password: canary, 'a.yaml': secrets.join('\n') },
    spec: { env: [{ name: 'API_TOKEN', value: canary }], args: secrets },
    kept: 'an-ordinary-word',
  };
  const pod = { ...object, ...agentPod('a'), spec: { nodeName: 'a', containers: [{ name: 'berth', ...object.spec }] } };
  const status = {
    ...agentPod('a').status,
    containerStatuses: [{ name: 'berth', ready: true, restartCount: 1, state: { running: {} } }],
  };
  const file = join(folder, 'kubectl');
  const program = `#!${process.execPath}
const args = process.argv.slice(2);
const pod = ${JSON.stringify({ ...pod, status })}, object = ${JSON.stringify(object)}, secrets = ${JSON.stringify(secrets)};
if (args[0] === 'logs') console.log([...secrets, JSON.stringify(object), 'an ordinary line'].join('\\n'));
else if (args.includes('secrets') || args.some((arg) => /^secrets?[./]/.test(arg))) console.log('a secret was asked for: ${canary}');
else if (args.includes('pods')) console.log(JSON.stringify({ items: [pod] }));
else if (args.includes('csinodes.storage.k8s.io')) { console.error('error: token: ${canary}'); process.exit(1); }
else if (args.includes('--eval')) console.log('berth_build_info 1\\n' + secrets.join('\\n'));
else console.log(JSON.stringify({ items: [object] }));
`;
  await writeFile(file, program, { mode: 0o755 });
  return file;
}

interface Outcome {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

async function bundle(...args: readonly string[]): Promise<Outcome> {
  const main = join(import.meta.dirname, '../main.ts');
  const env = { PATH: process.env['PATH'], KUBECTL: await writeKubectl() };
  return await promisify(execFile)(process.execPath, [main, 'bundle', ...args], { env, cwd: folder }).then(
    ({ stdout, stderr }) => ({ code: 0, stdout, stderr }),
    (error: unknown) => error as Outcome,
  );
}

test('no secret that is in the cluster is in the archive, and the rest is', async () => {
  const file = join(folder, 'a.tar.gz');
  const { code, stdout, stderr } = await bundle('-o', file);
  expect(code).toBe(0);
  expect(stdout).toMatch(/a\.tar\.gz: \d+ files, /);
  expect(stderr).toContain('missing: cluster/csinodes.json');
  const text = gunzipSync(await readFile(file)).toString('latin1');
  expect(`${text}${stdout}${stderr}`.split('\n').filter((line) => line.includes(canary))).toEqual([]);
  const parts = [
    'INDEX.txt',
    'cluster/berthnodes.json',
    'namespaces/berth-system/configmaps.json',
    'nodes/a/volumes.json',
  ];
  const logs = [
    'nodes/a/metrics.txt',
    'nodes/a/doctor.json',
    'logs/berth-a/berth.log',
    'logs/berth-a/berth.previous.log',
  ];
  for (const path of [...parts, ...logs]) expect(text).toContain(path);
  for (const kept of ['an-ordinary-word', 'an ordinary line', 'berth_build_info 1', '<redacted>'])
    expect(text).toContain(kept);
  expect(((await stat(file)).mode & 0o777).toString(8)).toBe('600');
});

test('what is there is not overwritten unless that is asked, and nothing is written through a link', async () => {
  const file = join(folder, 'a.tar.gz');
  await writeFile(file, 'mine');
  expect(await bundle('-o', file)).toMatchObject({
    code: 1,
    stderr: expect.stringMatching(/^error: .*--overwrite/) as string,
  });
  expect(await readFile(file, 'utf8')).toBe('mine');
  const link = join(folder, 'link.tar.gz');
  await symlink(file, link);
  expect(await bundle('-o', link)).toMatchObject({ code: 1 });
  expect(await bundle('-o', link, '--overwrite')).toMatchObject({ code: 0 });
  expect(await readFile(file, 'utf8')).toBe('mine');
  expect(gunzipSync(await readFile(link)).toString('latin1')).toContain('INDEX.txt');
});

test('it has a largest size, and tells what did not fit', () => {
  const collected = [
    { path: 'a', text: 'x'.repeat(100) },
    { path: 'b', text: 'x'.repeat(100) },
    { path: 'c', failure: 'you may not' },
    { path: 'd', text: 'x', cut: true },
  ];
  const { files, missing, bytes } = archiveOf('f', collected, 150);
  expect(files).toBe(2);
  expect(missing).toEqual([
    'b: left out, because the archive would be larger than 150 bytes',
    'c: you may not',
    'd: only its beginning',
  ]);
  expect(gunzipSync(bytes).toString('latin1')).toContain('Missing:\nb: left out');
});
