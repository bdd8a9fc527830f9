// STATUS: in which versions there is one, and that it tells a node that takes no new pod from one whose pods are cut off.
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { describe, expect, test, vi } from 'vitest';
import type { TestNode } from './cni/node.ts';
import { codeOf, useNodes } from './cni/scene.ts';

const { common, start } = useNodes();
const well = { exit: 0, stdout: '' };

describe('the version of the configuration', () => {
  test.each(['0.1.0', '0.2.0', '0.3.0', '0.3.1', '0.4.0', '1.0.0'])('%s has no STATUS: code 1', async (cniVersion) => {
    const node = await common();
    const status = await node.cni('STATUS', {}, { cniVersion });
    expect([status.exit, codeOf(status)]).toEqual([1, 1]);
    expect(JSON.parse(status.stdout)).toMatchObject({ cniVersion, msg: expect.stringContaining('1.1.0') as string });
  });

  test('1.1.0 has one: nothing is said while all is well', async () => {
    expect(await (await common()).cni('STATUS', {})).toEqual(well);
  });
});

/** Runs a command in the mount namespace of the agent, of which /proc/sys is the node's. */
function besideAgent(node: TestNode, ...command: readonly string[]): void {
  execFileSync('nsenter', ['--mount', '--net', '--target', String(node.agentPid), ...command]);
}

/** Waits until STATUS has this code; returns its sentence. */
async function statusOf(node: TestNode, code: number | undefined): Promise<string> {
  return await vi.waitUntil(
    async () => {
      const { exit, stdout } = await node.cni('STATUS', {});
      if (exit === 0) return code === undefined ? 'well' : undefined;
      const told = JSON.parse(stdout) as { readonly code: number; readonly msg: string };
      return told.code === code ? told.msg : undefined;
    },
    { timeout: 30_000, interval: 20 },
  );
}

test('a node that does not forward and cannot be made to cuts its pods off: 51, whatever else there is, and well afterwards', async () => {
  const node = await start('10.244.7.0/30');
  const one = await node.addPod('one');
  expect(await statusOf(node, 50)).toContain('no free address in 10.244.7.0/30');
  await node.serve('world');
  // As where somebody else has the parameters in hand.
  besideAgent(node, 'mount', '--bind', '/proc/sys/net', '/proc/sys/net');
  besideAgent(node, 'mount', '-o', 'remount,bind,ro', '/proc/sys/net');
  execFileSync('ip', ['netns', 'exec', node.name('node'), 'sysctl', '-qw', 'net.ipv4.ip_forward=0']);
  expect(await statusOf(node, 51)).toContain('forwarding is broken and cannot be restored');
  besideAgent(node, 'umount', '/proc/sys/net');
  expect(await statusOf(node, 50)).toContain('no free address in 10.244.7.0/30');
  expect(await node.ask('one', node.worldAddress)).toBe(node.nodeAddress);
  expect(await node.del('one')).toEqual(well);
  expect(await statusOf(node, undefined)).toBe('well');
  expect(one).toBe('10.244.7.2');
});

test('a table that somebody else owns by now cannot be restored: 51, and well once it is given up', async () => {
  const node = await start();
  await node.addPod('one');
  await node.serve('world');
  // An owner keeps everybody else from a table for as long as it lives.
  const owner = spawn('ip', ['netns', 'exec', node.name('node'), 'nft', '-i'], { stdio: ['pipe', 'ignore', 'ignore'] });
  const ended = once(owner, 'exit');
  owner.stdin.write('delete table inet berth; add table inet berth { flags owner; }\n');
  expect(await statusOf(node, 51)).toContain('table is broken and cannot be restored');
  owner.stdin.end();
  await ended;
  expect(await statusOf(node, undefined)).toBe('well');
  expect(await node.ask('one', node.worldAddress)).toBe(node.nodeAddress);
});

test('an agent that stands still is not waited for: 50, and well when it goes on', async () => {
  const node = await start();
  process.kill(node.agentPid, 'SIGSTOP');
  try {
    const status = await node.cni('STATUS', {});
    expect(codeOf(status)).toBe(50);
    expect(status.stdout).toContain('the berth agent did not answer STATUS in time');
  } finally {
    process.kill(node.agentPid, 'SIGCONT');
  }
  expect(await statusOf(node, undefined)).toBe('well');
});
