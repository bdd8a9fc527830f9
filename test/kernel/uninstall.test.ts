// `berth uninstall` on a node in real namespaces: refused while it is needed, then nothing of Berth's network is left, and all of others.
import { execFile, execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { buildExecutable } from '../../scripts/executable.ts';
import { TestNode } from './cni/node.ts';

const folder = mkdtempSync(join(tmpdir(), 'berth-shim-'));
let node: TestNode;

beforeAll(async () => {
  await buildExecutable(join(folder, 'berth'));
});
afterAll(() => {
  rmSync(folder, { recursive: true });
});
beforeEach(() => {
  node = new TestNode(join(folder, 'berth'), ['10.244.7.0/24', 'fd00:7::/64']);
});
afterEach(() => {
  node.dispose();
});

interface Outcome {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** As a person on the node would run it. */
async function uninstall(...args: readonly string[]): Promise<Outcome> {
  const file = join(node.folder, 'config.yaml');
  const { cniBinDir, cniConfDir, runDir } = node.config;
  const network = JSON.stringify({ cniBinDir, cniConfDir, runDir });
  const agent = JSON.stringify({ stateDir: stateDir() });
  writeFileSync(file, `apiVersion: berth.dev/v1alpha1\nkind: NodeConfig\nagent: ${agent}\nnetwork: ${network}\n`);
  const main = join(import.meta.dirname, '../../agent/main.ts');
  const command = ['netns', 'exec', node.name('node'), process.execPath, main, 'uninstall', '--config', file, ...args];
  return await new Promise((resolve) => {
    execFile('ip', command, (error, stdout, stderr) => {
      resolve({ code: error === null ? 0 : Number(error.code), stdout, stderr });
    });
  });
}

/** Where the agent keeps what outlives a reboot. */
function stateDir(): string {
  return join(node.folder, 'state');
}

/** Everything on the node that Berth could have made or could have taken. */
function state(): string {
  return [
    node.ip('node', '-o', 'link', 'show').replaceAll(/qlen \d+|@if\d+/g, ''),
    node.ip('node', 'route', 'show'),
    node.ip('node', '-6', 'route', 'show'),
    node.nft('list', 'ruleset'),
  ].join('\n');
}

async function attach(): Promise<void> {
  await node.startAgent();
  for (const pod of ['one', 'two']) {
    node.addNamespace(pod);
    const limits = { ingressRate: 8_000_000, ingressBurst: 80_000, egressRate: 8_000_000, egressBurst: 80_000 };
    const portMappings = [{ hostPort: pod === 'one' ? 8080 : 8081, containerPort: 80, protocol: 'tcp' }];
    expect(await node.add(pod, { runtimeConfig: { bandwidth: limits, portMappings } })).toMatchObject({ exit: 0 });
  }
}

test('a node that needs it keeps it, and is told why', async () => {
  await attach();
  const before = state();
  expect(await uninstall('--force')).toMatchObject({
    code: 1,
    stderr: expect.stringContaining('DaemonSet first') as string,
  });
  // To look is refused to nobody.
  const watched = await uninstall('--dry-run');
  expect(watched).toMatchObject({ code: 0, stdout: expect.stringMatching(/^would remove link veth/m) as string });
  expect(watched.stderr).toMatch(/would be refused now: the agent still runs .*\n.*would be refused now: 2 containers/);
  await node.stopAgent('SIGKILL');
  expect(await uninstall()).toMatchObject({ code: 1, stderr: expect.stringContaining('2 containers') as string });
  // Pods that end while no agent runs need it no more: their DELs wait for one.
  expect(await node.del('two')).toMatchObject({ exit: 0 });
  expect(await uninstall()).toMatchObject({ code: 1, stderr: expect.stringContaining('1 container of') as string });
  const dry = await uninstall('--force', '--dry-run');
  expect(dry.code).toBe(0);
  expect(dry.stdout.match(/^would remove link (veth|ifb)/gm)).toHaveLength(4);
  expect(state()).toBe(before);
  expect(existsSync(join(node.config.cniConfDir, '05-berth.conflist'))).toBe(true);
});

test("nothing of Berth's network stays, and nothing of others goes", async () => {
  node.ip('node', 'link', 'add', 'vethforeign', 'type', 'veth', 'peer', 'name', 'foreign1');
  node.ip('node', 'route', 'add', '10.250.0.0/24', 'via', node.worldAddress, 'proto', '99');
  node.nft('add', 'table', 'inet', 'stranger');
  const before = state();
  await attach();
  node.ip('node', 'route', 'add', '10.244.9.0/24', 'via', node.worldAddress, 'proto', '98');
  node.ip('node', '-6', 'route', 'add', 'fd00:9::/64', 'via', node.worldAddress6, 'proto', '98');
  await node.stopAgent('SIGKILL');
  // Somebody's own loopback plugin and run-time file.
  writeFileSync(join(node.config.runDir, 'of-somebody'), '');
  const removed = await uninstall('--force', '-o', 'json');
  expect(removed).toMatchObject({ code: 0 });
  const { removed: list } = JSON.parse(removed.stdout) as { readonly removed: readonly { readonly kind: string }[] };
  expect(Object.groupBy(list, ({ kind }) => kind)).toMatchObject({
    link: { length: 4 },
    route: { length: 2 },
    table: { length: 1 },
  });
  expect(state()).toBe(before);
  expect(readdirSync(node.config.runDir)).toEqual(['of-somebody']);
  expect(readdirSync(node.config.cniConfDir)).toEqual([]);
  expect(readdirSync(node.config.cniBinDir).filter((name) => ['berth', 'loopback'].includes(name))).toEqual([]);
  expect(await uninstall()).toMatchObject({ code: 0, stdout: "Nothing of Berth's network is on this node.\n" });
});

test('what stays is told, and where somebody looks for it', async () => {
  for (const path of ['pools/one/meta/v1-a-b.json', 'pools/one/meta/v1-a-c.json', 'pools/one/meta/s1-a-d.json']) {
    mkdirSync(dirname(join(stateDir(), path)), { recursive: true });
    writeFileSync(join(stateDir(), path), '{}');
  }
  for (const path of ['pools/one/pool.json', 'podranges.json']) writeFileSync(join(stateDir(), path), '{}');
  for (const path of ['pools/no-pool', 'devices']) mkdirSync(join(stateDir(), path));
  const message = join(node.folder, 'message');
  expect(await uninstall('--kept-to', message)).toMatchObject({ code: 0 });
  expect(readFileSync(message, 'utf8').split('\n')).toEqual([
    `kept ${stateDir()}/pools/one: 2 volumes, 1 snapshot`,
    `kept ${stateDir()}/podranges.json: the pod ranges of this Node`,
    '',
  ]);
});

test('what an interruption left is removed by the next run, and an agent installs everything again', async () => {
  await attach();
  await node.stopAgent('SIGKILL');
  // As if it had ended after the files: the pods' links and the table are still there.
  for (const path of [join(node.config.cniConfDir, '05-berth.conflist'), join(node.config.runDir, 'attachments')])
    rmSync(path, { recursive: true });
  expect(await uninstall()).toMatchObject({ code: 0 });
  expect(execFileSync('ip', ['-n', node.name('node'), 'link', 'show'], { encoding: 'utf8' })).not.toMatch(
    /veth[0-9a-f]{11}/,
  );
  await node.startAgent();
  expect(await node.addPod('three')).toMatch(/^10\.244\.7\./);
});
