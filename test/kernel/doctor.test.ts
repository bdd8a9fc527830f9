/** Probes of the doctor broken on purpose on this kernel: what they say, and that their own command mends it. */
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdtemp, rmdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, onTestFinished, test, vi } from 'vitest';
import type { Finding } from '../../agent/doctor/finding.ts';
import { Talker } from './cni/node.ts';
import { makeDoctorPlace } from './doctorplace.ts';
import type { DoctorPlace } from './doctorplace.ts';

let place: DoctorPlace;
const inside = (line: string): string => place.inside(line);
const finding = (id: string, before?: string): Finding => place.finding(id, before);

beforeAll(async () => {
  place = await makeDoctorPlace(
    (folder) => `network: {podCIDR: [10.244.1.0/24, 'fd00:1::/64']}
storage: {pools: [{name: a, path: ${folder}/pool}]}
`,
  );
  inside('mount --make-rshared / && ip link add lan0 type veth peer name lan1 && ip link set lan1 up');
  inside('ip link set lan0 up && ip address add 192.0.2.9/24 dev lan0');
  inside('sysctl -qw net.ipv6.conf.all.forwarding=1');
});

afterAll(() => place.close());

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
    // There is no agent to restart.
    mending: 'mount --make-rshared /',
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

  test('the kernel ends what takes more memory than there is, until there is more: limits.memory', async () => {
    const isSecond = existsSync('/sys/fs/cgroup/cgroup.controllers');
    const root = isSecond ? '/sys/fs/cgroup' : '/sys/fs/cgroup/memory';
    const limit = isSecond ? 'memory.max' : 'memory.limit_in_bytes';
    if (isSecond) await writeFile(join(root, 'cgroup.subtree_control'), '+memory');
    const groupOf = async (mebibytes: number): Promise<string> => {
      const group = await mkdtemp(join(root, 'berth-test.'));
      // Its last process has ended, and the kernel may yet count it.
      onTestFinished(async () => {
        const isGone = (): Promise<boolean> =>
          rmdir(group).then(
            () => true,
            () => false,
          );
        await vi.waitUntil(isGone, { timeout: 20_000, interval: 50 });
      });
      await writeFile(join(group, limit), `${mebibytes}M`);
      return group;
    };
    const within = (group: string): string => `echo $$ > ${group}/cgroup.procs;`;
    const small = await groupOf(300);
    inside(`${within(small)} head -c 600M /dev/zero | tail > /dev/null || true`);
    const ill = finding('limits.memory', within(small));
    expect(ill).toMatchObject({
      severity: 'warning',
      evidence: [{}, { what: expect.stringMatching(/^[1-9]\d* processes ended/) as string }],
    });
    expect(ill.message).toBe('the kernel has ended processes here because the limit of memory is too low');
    const [, enough] = /--limits=memory=(\d+)Mi$/.exec(ill.fix ?? '') ?? [];
    // A container that is started anew has a group of its own.
    const message = `a limit of ${enough}Mi of memory`;
    expect(enough).toBe('600');
    expect(finding('limits.memory', within(await groupOf(600)))).toMatchObject({ severity: 'pass', message });
  });

  test('forwarding takes the default route that a router advertises: network.accept-ra', async () => {
    const router = spawn('unshare', ['--net', 'sh', '-c', 'echo ready; exec cat'], {
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    onTestFinished(async () => {
      router.stdin.end();
      await once(router, 'exit');
    });
    await once(router.stdout, 'data');
    const enter = ['--target', String(router.pid), '--net', '--'];
    inside(`ip link set lan1 netns ${router.pid}`);
    execFileSync('nsenter', [...enter, 'sh', '-c', 'ip link set lan1 up; ip address add fe80::1/64 dev lan1 nodad']);
    const program = [process.execPath, join(import.meta.dirname, 'cni/router.ts'), 'lan1'];
    const advertiser = new Talker(spawn('nsenter', [...enter, ...program], { stdio: 'pipe' }));
    onTestFinished(() => void advertiser.process.stdin?.end());
    expect(await advertiser.line()).toBe('ready');
    const ways = (): string => inside('ip -6 route show default');
    const forward = (value: 0 | 1): string => inside(`sysctl -qw net.ipv6.conf.all.forwarding=${value}`);
    const advertised = async (): Promise<void> => {
      // A link that has just come up does not hear at once.
      const heard = async (): Promise<boolean> => {
        advertiser.process.stdin?.write('advertise\n');
        expect(await advertiser.line()).toBe('sent');
        return ways().includes('via fe80::1 dev lan0');
      };
      await vi.waitUntil(heard, { timeout: 20_000, interval: 50 });
    };
    const fix = 'sysctl -w net/ipv6/conf/lan0/accept_ra=2';

    forward(0);
    await advertised();
    const early = finding('network.accept-ra');
    expect(early).toMatchObject({ severity: 'warning', fix });
    expect(early.message).toContain('once the node forwards IPv6 it loses the default route');
    forward(1);
    expect(ways()).toBe('');
    forward(0);
    await advertised();
    inside(early.fix ?? '');
    forward(1);
    expect(ways()).toContain('via fe80::1 dev lan0');
    expect(finding('network.accept-ra')).toMatchObject({ severity: 'pass', message: 'it keeps its default route' });

    inside('sysctl -qw net.ipv6.conf.lan0.accept_ra=1');
    const ill = finding('network.accept-ra');
    expect(ill).toMatchObject({ severity: 'failure', fix });
    expect(ill.message).toContain('loses the default route that a router advertises on lan0');
    inside(ill.fix ?? '');
    expect(finding('network.accept-ra')).toMatchObject({ severity: 'pass' });
  });
});
