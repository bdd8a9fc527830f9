// What others take away from a node is there again while the agent runs: the nft table, forwarding, the files of the runtime.
import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, expect, test, vi } from 'vitest';
import { buildExecutable } from '../../scripts/executable.ts';
import { TestNode } from './cni/node.ts';

const folder = mkdtempSync(join(tmpdir(), 'berth-shim-'));
const shim = join(folder, 'berth');
const nodes: TestNode[] = [];

beforeAll(async () => {
  await buildExecutable(shim);
});
afterAll(() => {
  rmSync(folder, { recursive: true });
});
afterEach(() => {
  for (const node of nodes.splice(0)) node.dispose();
});

async function start(): Promise<TestNode> {
  const node = new TestNode(shim);
  nodes.push(node);
  await node.startAgent();
  return node;
}

async function soon(what: () => boolean): Promise<void> {
  await vi.waitUntil(what, { timeout: 20_000, interval: 20 });
}

test.each([
  ['the whole ruleset', ['flush', 'ruleset']],
  ['our table', ['delete', 'table', 'inet', 'berth']],
  ["our table's rules", ['flush', 'table', 'inet', 'berth']],
  ['a set of ours', ['flush', 'set', 'inet', 'berth', 'pods']],
])('after a flush of %s pods soon have their masquerade again', async (_what, command) => {
  const node = await start();
  const one = await node.addPod('one');
  await node.serve('world');
  const before = node.nft('list', 'table', 'inet', 'berth');
  node.nft(...command);
  const all = (): string => {
    try {
      return node.nft('list', 'table', 'inet', 'berth');
    } catch {
      return '';
    }
  };
  await soon(() => all() === before);
  expect(await node.ask('one', node.worldAddress)).toBe(node.nodeAddress);
  expect(one).toBe('10.244.7.2');
  expect(await node.stopAgent()).toContain('berth_cni_repairs_total{what="table"} 1');
});

function mapped(hostPort: number): Record<string, unknown> {
  return { runtimeConfig: { portMappings: [{ hostPort, containerPort: 7700, protocol: 'tcp' }] } };
}

test.each([
  ['the map of ports', ['flush', 'map', 'inet', 'berth', 'ports']],
  ['one port', ['delete', 'element', 'inet', 'berth', 'ports', '{ tcp . 8080 }']],
  ['what lets a pod reach itself', ['flush', 'set', 'inet', 'berth', 'hairpin']],
  ['a chain', ['flush', 'chain', 'inet', 'berth', 'ports-in']],
])('after the loss of %s a port of the node soon leads to its pod again', async (_what, command) => {
  const node = await start();
  for (const pod of ['one', 'two']) node.addNamespace(pod);
  expect(await node.add('one', mapped(8080))).toMatchObject({ exit: 0 });
  await node.serve('one');
  const table = (): string => node.nft('list', 'table', 'inet', 'berth');
  const [before, another] = [table(), mapped(8081)];
  node.nft(...command);
  // A change of our own right behind it does not hide it.
  expect(await node.add('two', another)).toMatchObject({ exit: 0 });
  expect(await node.del('two')).toMatchObject({ exit: 0 });
  await soon(() => table() === before);
  expect(await node.ask('world', node.nodeAddress, 8080)).toBe(node.worldAddress);
  expect(await node.stopAgent()).toContain('berth_cni_repairs_total{what="table"} 1');
});

test('pods with ports that come and go are no reason for a repair', async () => {
  const node = await start();
  node.addNamespace('one');
  for (let round = 0; round < 6; round++) {
    expect(await node.add('one', mapped(8080))).toMatchObject({ exit: 0 });
    expect(await node.del('one')).toMatchObject({ exit: 0 });
  }
  expect(await node.stopAgent()).not.toContain('berth_cni_repairs_total{what="table"}');
});

test("others' tables are left as they are, and their rules go on working, whatever becomes of ours", async () => {
  const node = await start();
  const one = await node.addPod('one');
  await node.serve('world');
  // As kube-proxy, the portmap plugin and a firewall have them: a Service, a port of the node, a word on what is forwarded.
  for (const line of [
    'table ip kube-proxy',
    'map ip kube-proxy services { type ipv4_addr . inet_service : ipv4_addr . inet_service; }',
    'chain ip kube-proxy services { type nat hook prerouting priority -100; }',
    'rule ip kube-proxy services dnat ip to ip daddr . tcp dport map @services',
    `element ip kube-proxy services { 10.96.0.10 . 80 : ${node.worldAddress} . 7700 }`,
    'table inet firewall',
    'chain inet firewall forward { type filter hook forward priority 0; }',
    'rule inet firewall forward tcp dport 7799 counter drop',
  ])
    node.nft('add', line);
  const others = (): string => ['ip kube-proxy', 'inet firewall'].map((table) => listing(table)).join('');
  const listing = (table: string): string => node.nft('list', 'table', ...table.split(' '));
  const before = others();
  expect(await node.ask('one', '10.96.0.10', 80)).toBe(node.nodeAddress);
  node.nft('delete', 'table', 'inet', 'berth');
  await soon(() => node.nft('list', 'tables').includes('inet berth'));
  node.addNamespace('two');
  expect(await node.add('two', mapped(8080))).toMatchObject({ exit: 0 });
  await node.stopAgent('SIGKILL');
  await node.startAgent();
  expect(await node.del('two')).toMatchObject({ exit: 0 });
  expect(others()).toBe(before);
  expect(await node.ask('one', '10.96.0.10', 80)).toBe(node.nodeAddress);
  expect(one).toBe('10.244.7.2');
});

test('forwarding, the configuration list and the executable come back, and are counted', async () => {
  const node = await start();
  const conflist = join(node.config.cniConfDir, '05-berth.conflist');
  const text = readFileSync(conflist, 'utf8');
  const executable = join(node.config.cniBinDir, 'berth');
  execFileSync('ip', ['netns', 'exec', node.name('node'), 'sysctl', '-qw', 'net.ipv4.ip_forward=0']);
  rmSync(conflist);
  rmSync(executable);
  rmSync(join(node.config.cniBinDir, 'loopback'));
  const forwards = (): boolean =>
    execFileSync('ip', ['netns', 'exec', node.name('node'), 'sysctl', '-n', 'net.ipv4.ip_forward'], {
      encoding: 'utf8',
    }).trim() === '1';
  // The log tells that a repair is over: the file is there before that, and a look that is disturbed is not counted.
  const restored = async (times: number): Promise<void> => {
    const said = (): number =>
      node.agentLog.split('\n').filter((line) => line.includes('"conflist"') && line.includes('restored')).length;
    await soon(() => said() >= times);
  };
  await soon(() => existsSync(conflist) && existsSync(executable) && forwards());
  await restored(1);
  expect(readFileSync(conflist, 'utf8')).toBe(text);
  expect(statSync(executable).mode & 0o777).toBe(0o755);
  writeFileSync(conflist, '{"broken":');
  await soon(() => readFileSync(conflist, 'utf8') === text);
  await restored(2);
  // In one step: the agent may put its file back while a folder is being emptied.
  renameSync(node.config.cniConfDir, `${node.config.cniConfDir}.gone`);
  await soon(() => existsSync(conflist));
  await restored(3);
  expect(await node.cni('STATUS', {})).toEqual({ exit: 0, stdout: '' });
  const metrics = await node.stopAgent();
  expect(metrics).toContain('berth_cni_repairs_total{what="conflist"} 3');
  expect(metrics).toContain('berth_cni_repairs_total{what="executable"} 1');
  expect(metrics).toContain('berth_cni_repairs_total{what="forwarding"} 1');
  // An agent that has stopped restores nothing: it may have been removed for good.
  expect(existsSync(conflist)).toBe(true);
});

test('STATUS tells what is broken and cannot be restored, and is well again afterwards', async () => {
  const node = await start();
  let attempts = 0;
  await soon(() => {
    try {
      // The agent may make the folder again between the two steps; then once more.
      renameSync(node.config.cniConfDir, join(folder, `gone-${String((attempts += 1))}`));
      writeFileSync(node.config.cniConfDir, 'a file where the folder should be');
      return true;
    } catch {
      return false;
    }
  });
  const status = async (): Promise<string> => (await node.cni('STATUS', {})).stdout;
  await vi.waitUntil(async () => (await status()).includes('conflist is broken'), { timeout: 20_000, interval: 50 });
  expect((JSON.parse(await status()) as { code: number }).code).toBe(50);
  rmSync(node.config.cniConfDir);
  await vi.waitUntil(async () => (await status()) === '', { timeout: 20_000, interval: 50 });
});

test('IPv6 forwarding comes back, too, and is counted', async () => {
  const node = new TestNode(shim, ['10.244.7.0/24', 'fd00:7::/64']);
  nodes.push(node);
  await node.startAgent();
  const sysctl = (...args: readonly string[]): string =>
    execFileSync('ip', ['netns', 'exec', node.name('node'), 'sysctl', ...args], { encoding: 'utf8' }).trim();
  sysctl('-qw', 'net.ipv6.conf.all.forwarding=0');
  await vi.waitUntil(() => sysctl('-n', 'net.ipv6.conf.all.forwarding') === '1', { timeout: 20_000, interval: 20 });
  expect(await node.stopAgent()).toContain('berth_cni_repairs_total{what="forwarding"} 1');
});
