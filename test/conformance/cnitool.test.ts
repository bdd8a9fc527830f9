// The real libcni, by cnitool, in every version of the configuration: alone and between other plugins of a list.
import { execFile } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import { ensurePrograms } from '../../cluster/build.ts';
import { buildExecutable } from '../../scripts/executable.ts';
import { cniPluginsFolder, ensureCniPlugins } from '../bench/peers.ts';
import { TestNode } from '../kernel/cni/node.ts';

const folder = mkdtempSync(join(tmpdir(), 'berth-cnitool-'));
/** Stands for /var/lib, where libcni keeps the results of ADD. */
const cache = join(folder, 'lib');
const others = join(folder, 'others');
let program = '';

// A plugin that makes an interface of its own, as one before us may.
const dummy = `#!/bin/sh
cat > /dev/null
case "$CNI_COMMAND" in
VERSION) echo '{"cniVersion":"1.1.0","supportedVersions":["0.3.1","0.4.0","1.0.0","1.1.0"]}' ;;
ADD)
  nsenter --net="$CNI_NETNS" ip link add net1 type veth peer name far1 >&2 || exit 1
  case "$VERSION_OF_TEST" in 0.*) family='"version":"4",' ;; *) family= ;; esac
  echo '{"cniVersion":"'"$VERSION_OF_TEST"'","interfaces":[{"name":"net1","sandbox":"'"$CNI_NETNS"'"}],'
  echo '"ips":[{'"$family"'"address":"198.51.100.7/24","interface":0}],"dns":{"nameservers":["198.51.100.53"]}}'
  ;;
DEL) nsenter --net="$CNI_NETNS" ip link del net1 >&2 || true ;;
esac
`;

beforeAll(async () => {
  program = (await ensurePrograms(['cnitool'])).cnitool;
  await ensureCniPlugins();
  mkdirSync(cache);
  mkdirSync(others);
  writeFileSync(join(others, 'dummy'), dummy);
  chmodSync(join(others, 'dummy'), 0o755);
  await buildExecutable(join(folder, 'berth'));
});
afterAll(() => {
  rmSync(folder, { recursive: true });
});

interface Run {
  readonly exit: number;
  readonly stdout: string;
  /** What cnitool says of an error, which it prints between its usage. */
  readonly stderr: string;
}

interface Result {
  readonly cniVersion: string;
  readonly interfaces: readonly { readonly name: string; readonly mac: string; readonly sandbox?: string }[];
  readonly ips: readonly { readonly version?: string; readonly address: string; readonly interface: number }[];
  readonly dns?: unknown;
}

/** One command for a pod, with the configuration lists of a folder. */
async function cnitool(
  node: TestNode,
  configurations: string,
  command: string,
  pod: string,
  env: Record<string, string> = {},
): Promise<Run> {
  // libcni has one place for what it remembers: in a mount namespace of its own that is ours.
  const script = 'mount --bind "$1" /var/lib && shift && exec "$@"';
  const args = ['--mount', 'sh', '-ec', script, 'sh', cache, program, command, 'berth', node.path(pod)];
  return await new Promise((resolve) => {
    execFile(
      'unshare',
      args,
      {
        env: {
          PATH: process.env['PATH'],
          CNI_PATH: [node.config.cniBinDir, others, cniPluginsFolder()].join(':'),
          NETCONFPATH: configurations,
          ...env,
        },
      },
      (error, stdout, stderr) => {
        resolve({ exit: error === null ? 0 : Number(error.code ?? -1), stdout, stderr });
      },
    );
  });
}

const done = { exit: 0, stdout: '', stderr: '' };

/** Writes a list with these plugins around ours; returns its folder. */
function list(node: TestNode, cniVersion: string, before: readonly object[], behind: readonly object[]): string {
  const target = mkdtempSync(join(folder, 'net.d-'));
  const capabilities = { portMappings: true, bandwidth: true, ips: true, mac: true, dns: true };
  const ours = { type: 'berth', capabilities, socket: join(node.config.runDir, 'cni.sock') };
  const text = JSON.stringify({ cniVersion, name: 'berth', plugins: [...before, ours, ...behind] });
  writeFileSync(join(target, 'berth.conflist'), text);
  return target;
}

async function expectNothingLeft(node: TestNode): Promise<void> {
  // The answer to DEL comes before the link is gone.
  await vi.waitFor(
    () => {
      expect([node.podLinks(), node.podRoutes(), node.records()]).toEqual([[], [], []]);
    },
    { timeout: 30_000 },
  );
  expect(readdirSync(join(cache, 'cni', 'results'))).toEqual([]);
}

const versions = ['0.3.1', '0.4.0', '1.0.0', '1.1.0'];

describe.each([
  ['IPv4', ['10.244.7.0/24'], ['4']],
  ['IPv6', ['fd00:7::/64'], ['6']],
  ['both families', ['10.244.7.0/24', 'fd00:7::/64'], ['4', '6']],
])('%s', (_what, ranges, families) => {
  let node: TestNode;
  beforeAll(async () => {
    node = new TestNode(join(folder, 'berth'), ranges);
    await node.startAgent();
  });
  afterAll(() => {
    node.dispose();
  });
  afterEach(async () => {
    await node.clear();
  });

  /** What CHECK answers in a version: before 0.4.0 there is none. */
  function expectCheck(run: Run, cniVersion: string): void {
    if (cniVersion === '0.3.1') expect(run.stderr).toMatch(/does not support .*CHECK/);
    else expect(run).toEqual(done);
  }

  test.each(versions)('in version %s: status, add, check, del, and del again', async (cniVersion) => {
    const configurations = list(node, cniVersion, [], []);
    node.addNamespace('one');
    const run = (command: string): Promise<Run> => cnitool(node, configurations, command, 'one');
    expect(await run('status')).toEqual(done);
    const added = await run('add');
    expect(added.exit, added.stderr).toBe(0);
    const result = JSON.parse(added.stdout) as Result;
    expect(result.cniVersion).toBe(cniVersion);
    expect(result.interfaces[1]).toMatchObject({ name: 'eth0', sandbox: node.path('one') });
    expect(result.ips.map((ip) => ip.interface)).toEqual(families.map(() => 1));
    expect(result.ips.map((ip) => (ip.address.includes(':') ? '6' : '4'))).toEqual(families);
    if (cniVersion.startsWith('0.')) expect(result.ips.map((ip) => ip.version)).toEqual(families);
    await node.serve('one');
    for (const ip of result.ips) {
      const [own, address] = ip.address.includes(':')
        ? [node.nodeAddress6, ip.address.replace('/128', '')]
        : [node.nodeAddress, ip.address.replace('/32', '')];
      expect(await node.ask('node', address)).toBe(own);
    }
    expectCheck(await run('check'), cniVersion);
    expect(await run('del')).toEqual(done);
    await expectNothingLeft(node);
    expect(await run('del')).toEqual(done);
  });

  test.each(versions)('in version %s between a plugin before and one behind', async (cniVersion) => {
    const tuning = {
      type: 'tuning',
      mtu: 1300,
      sysctl: { 'net.core.somaxconn': '333' },
      dataDir: join(folder, 'tuning'),
    };
    const configurations = list(node, cniVersion, [{ type: 'dummy' }], [tuning]);
    node.addNamespace('one');
    const run = (command: string): Promise<Run> =>
      cnitool(node, configurations, command, 'one', { VERSION_OF_TEST: cniVersion });
    const added = await run('add');
    expect(added.exit, added.stdout + added.stderr).toBe(0);
    const result = JSON.parse(added.stdout) as Result;
    expect(result.interfaces.map(({ name }) => name)).toEqual(['net1', expect.stringMatching(/^veth/), 'eth0']);
    expect(result.ips.map((ip) => ip.interface)).toEqual([0, ...families.map(() => 2)]);
    expect(result.dns).toEqual({ nameservers: ['198.51.100.53'] });
    expect(node.ip('one', 'link', 'show', 'eth0')).toContain('mtu 1300');
    expectCheck(await run('check'), cniVersion);
    node.ip('one', 'link', 'del', 'eth0');
    if (cniVersion !== '0.3.1') expect((await run('check')).exit).toBe(1);
    expect(await run('del')).toEqual(done);
    await expectNothingLeft(node);
  });

  test('what is installed works as it is, with what a runtime asks for', async () => {
    node.addNamespace('one');
    const mac = '02:00:5e:10:00:07';
    const ips = ranges.map((range) => range.replace(/0?\/.*/, '77'));
    const asked = {
      ips,
      mac,
      dns: { servers: ['203.0.113.53'] },
      portMappings: [{ hostPort: 8080, containerPort: 7700, protocol: 'tcp' }],
      bandwidth: { ingressRate: 8_000_000, ingressBurst: 800_000, egressRate: 8_000_000, egressBurst: 800_000 },
    };
    const run = (command: string): Promise<Run> =>
      cnitool(node, node.config.cniConfDir, command, 'one', {
        CAP_ARGS: JSON.stringify(asked),
        CNI_ARGS: 'IgnoreUnknown=1;K8S_POD_NAMESPACE=shop;K8S_POD_NAME=web-0',
      });
    const added = await run('add');
    expect(added.exit, added.stderr).toBe(0);
    const result = JSON.parse(added.stdout) as Result;
    expect(result.cniVersion).toBe('1.1.0');
    expect(result.ips.map(({ address }) => address.replace(/\/.*/, ''))).toEqual(ips);
    expect(result.interfaces[1]?.mac).toBe(mac);
    expect(result.dns).toEqual({ nameservers: ['203.0.113.53'] });
    await node.serve('one');
    const host = families.includes('4') ? node.nodeAddress : node.nodeAddress6;
    const from = families.includes('4') ? node.worldAddress : node.worldAddress6;
    expect(await node.ask('world', host, 8080)).toBe(from);
    expect(node.ip('node', 'link', 'show', 'type', 'ifb')).toMatch(/ifb[0-9a-f]{11}/);
    expect(await run('check')).toEqual(done);
    expect(await run('del')).toEqual(done);
    await expectNothingLeft(node);
    expect(node.ip('node', 'link', 'show', 'type', 'ifb')).toBe('');
  });

  test('gc deletes what libcni remembers and leaves alone what it does not', async () => {
    const configurations = list(node, '1.1.0', [], []);
    node.addNamespace('one');
    await node.addPod('other');
    expect((await cnitool(node, configurations, 'add', 'one')).exit).toBe(0);
    expect(node.records()).toHaveLength(2);
    expect(await cnitool(node, configurations, 'gc', 'one')).toEqual(done);
    await vi.waitFor(
      () => {
        expect(node.records()).toHaveLength(1);
      },
      { timeout: 30_000 },
    );
    expect(node.ip('other', 'link', 'show', 'eth0')).toContain('UP');
  });

  test('an error of ours reaches the user with its sentence', async () => {
    const configurations = list(node, '1.1.0', [], []);
    node.addNamespace('one');
    const env = { CAP_ARGS: JSON.stringify({ ips: ['192.0.2.99'] }) };
    const refused = await cnitool(node, configurations, 'add', 'one', env);
    expect([refused.exit, refused.stderr]).toEqual([1, expect.stringContaining('192.0.2.99')]);
    await expectNothingLeft(node);
  });
});

test('without an agent status fails and del does not', async () => {
  const node = new TestNode(join(folder, 'berth'));
  try {
    await node.startAgent();
    const configurations = list(node, '1.1.0', [], []);
    node.addNamespace('one');
    expect((await cnitool(node, configurations, 'add', 'one')).exit).toBe(0);
    await node.stopAgent('SIGKILL');
    expect((await cnitool(node, configurations, 'status', 'one')).exit).toBe(1);
    expect(await cnitool(node, configurations, 'del', 'one')).toEqual(done);
    await node.startAgent();
    await expectNothingLeft(node);
    expect(await cnitool(node, configurations, 'status', 'one')).toEqual(done);
  } finally {
    node.dispose();
  }
});
