/** Probes of the doctor broken on purpose on this kernel: what they say, and that their own command mends it. */
import { execFileSync, spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Finding } from '../../agent/doctor/finding.ts';

const program = join(import.meta.dirname, '../../agent/main.ts');
let folder = '';
let holder: ChildProcess;

/** Runs a shell line in a mount and a network namespace of the test's own. */
function inside(line: string): string {
  const enter = ['--target', String(holder.pid), '--mount', '--net', '--', 'sh', '-c', line];
  return execFileSync('nsenter', enter, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
}

/** What the doctor says of one probe there, started with `before` in front. */
function finding(id: string, before = ''): Finding {
  const command = `${process.execPath} ${program} doctor --config ${folder}/config.yaml -o json`;
  // It exits with 1 where something failed; there is no Kubernetes here, so something always does.
  const { findings } = JSON.parse(inside(`${before} ${command} || true`)) as { readonly findings: readonly Finding[] };
  const found = findings.find((each) => each.id === id);
  if (found === undefined) throw new Error(`the doctor does not ask for ${id}`);
  return found;
}

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'berth-doctor-'));
  await mkdir(join(folder, 'kubelet'));
  const config = `apiVersion: berth.dev/v1alpha1
kind: NodeConfig
agent: {nodeName: node-1, socket: ${folder}/agent.sock}
kubelet: {rootDir: ${folder}/kubelet}
network: {podCIDR: 10.244.1.0/24}
storage: {pools: [{name: a, path: ${folder}/pool}]}
`;
  await writeFile(join(folder, 'config.yaml'), config);
  holder = spawn('unshare', ['--mount', '--net', '--propagation', 'private', 'sh', '-c', 'echo ready; exec cat'], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  if (holder.stdout !== null) await once(holder.stdout, 'data');
  inside('mount --make-rshared / && ip link add lan0 type veth peer name lan1 && ip link set lan1 up');
  inside('ip link set lan0 up && ip address add 192.0.2.9/24 dev lan0');
});

afterAll(async () => {
  holder.stdin?.end();
  await once(holder, 'exit');
  await rm(folder, { recursive: true });
});

interface Broken {
  readonly id: string;
  readonly how: string;
  readonly breaking: string;
  readonly severity: Finding['severity'];
  readonly says: RegExp;
  /** Where the finding's own command does not do for this place. */
  readonly mending?: string;
}

const broken: readonly Broken[] = [
  {
    id: 'network.forwarding',
    how: 'the node does not forward',
    breaking: 'sysctl -qw net.ipv4.ip_forward=0',
    severity: 'warning',
    says: /net\.ipv4\.ip_forward is 0/,
  },
  {
    id: 'network.range-overlap',
    how: 'the LAN has the pod range',
    breaking: 'ip address add 10.244.0.9/16 dev lan0',
    severity: 'failure',
    says: /overlaps a network of the node: 10\.244\.0\.0\/16 on lan0/,
    mending: 'ip address del 10.244.0.9/16 dev lan0',
  },
  {
    id: 'network.range-overlap',
    how: 'a part of the range is led to a router',
    breaking: 'ip route add 10.244.1.64/26 via 192.0.2.1',
    severity: 'warning',
    says: /10\.244\.1\.64\/26 through a router on lan0/,
  },
  {
    id: 'kubelet.root-shared',
    how: 'no mount is shared',
    breaking: 'mount --make-rprivate /',
    severity: 'failure',
    says: /is not on a shared mount \(propagation of .*: private\)/,
  },
];

describe('a node where', () => {
  test.each(broken)('$how: $id', ({ id, breaking, severity, says, mending }) => {
    inside(breaking);
    const ill = finding(id);
    expect(ill).toMatchObject({ severity });
    expect(ill.message).toMatch(says);
    inside(mending ?? ill.fix ?? '');
    expect(finding(id)).toMatchObject({ severity: 'pass' });
  });

  test('a process may have few files open: limits.descriptors', () => {
    expect(finding('limits.descriptors', 'ulimit -n 1024;')).toMatchObject({ severity: 'warning' });
    expect(finding('limits.descriptors', 'ulimit -n 4096;')).toMatchObject({ severity: 'pass' });
  });

  test('nobody may watch files any more: limits.inotify', () => {
    // In a namespace of users the number is its own, and the machine keeps its.
    const few = (count: number): string =>
      `unshare --user --map-root-user sh -c 'echo ${count} > /proc/sys/user/max_inotify_instances; exec "$@"' sh`;
    const ill = finding('limits.inotify', few(0));
    expect(ill).toMatchObject({ severity: 'failure', fix: expect.stringContaining('sysctl -w fs.inotify') as string });
    expect(ill.message).toContain('EMFILE');
    expect(finding('limits.inotify', few(1024))).toMatchObject({ severity: 'pass' });
  });
});
