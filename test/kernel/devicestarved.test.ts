/** An agent that lacks what it lives on: the kernel's events, inotify, descriptors. It says so, sees later, and loses nothing. */
import { execFileSync } from 'node:child_process';
import { constants } from 'node:fs';
import { readdir, readlink, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { check, libc } from '../../linux/libc.ts';
import { LoopDevices } from './loopdevices.ts';
import { startAgent } from './devices/agent.ts';
import type { AgentProcess } from './devices/agent.ts';
import { folder, healthOf, healthy, idsOf, kubelet, pathsGiven, startKubelet } from './devices/scene.ts';

const makeNode = libc('int mknod(const char *path, unsigned int mode, unsigned long device)');
const resource = 'berth.dev/loop';
const made = 'berth.dev/made';
const madeNode = `/dev/berth-test-${process.pid}`;

let loops: LoopDevices;
let agent: AgentProcess;
let config: object;
beforeEach(() => {
  loops = new LoopDevices(930_000 + (process.pid % 1_000) * 10);
  config = {
    resources: [
      { name: resource, match: [{ subsystem: 'block', name: `loop${loops.first / 10}?` }] },
      { name: made, paths: [`${madeNode}*`] },
    ],
  };
});
afterEach(async () => {
  await agent.end();
  loops.close();
  await rm(madeNode, { force: true });
});

const begun = (): Promise<void> => kubelet.until(() => kubelet.resources.get(resource)?.lists === 1);
/** A node that no event of the kernel tells of. */
const makeByHand = (): void => {
  check(makeNode(madeNode, constants.S_IFCHR | 0o600, (240 << 8) | 7), 'mknod', madeNode);
};

test('in a user namespace, which the kernel’s events do not reach: said, and looked for every two seconds', async () => {
  await startKubelet();
  const loopback = 'ip link set lo up && exec "$@"';
  agent = await startAgent(folder, config, [
    'unshare',
    '--user',
    '--map-root-user',
    '--net',
    'sh',
    '-c',
    loopback,
    'sh',
  ]);
  await begun();
  loops.add(0);
  makeByHand();
  await healthy(resource, 1);
  await healthy(made, 1);
  loops.remove(0);
  await kubelet.until(() => Object.values(healthOf(resource)).join() === 'Unhealthy');
  expect(agent.log()).toContain('"event":"device.events_unavailable"');
  expect(await agent.metrics()).toContain('berth_device_source_degraded{source="uevents"} 1');
});

test('in a user namespace with the node’s network the kernel’s events come', async () => {
  await startKubelet();
  agent = await startAgent(folder, config, ['unshare', '--user', '--map-root-user', '--']);
  await begun();
  loops.add(0);
  await healthy(resource, 1);
  expect(agent.log()).not.toContain('device.events_unavailable');
  expect(await agent.metrics()).toContain('berth_device_source_degraded{source="uevents"} 0');
});

test('with inotify used up: what the kernel tells of is there all the same, a node made by hand and a new kubelet are found', async () => {
  await startKubelet();
  const none = 'echo 0 > /proc/sys/user/max_inotify_instances && exec "$@"';
  agent = await startAgent(folder, config, ['unshare', '--user', '--map-root-user', 'sh', '-c', none, 'sh']);
  await begun();
  const folderOfOpen = `/proc/${agent.pid}/fd`;
  // Some are closed while they are looked at.
  const open = (await readdir(folderOfOpen)).map((fd) => readlink(join(folderOfOpen, fd)).catch(() => ''));
  const watched = await Promise.all(open);
  expect(watched.filter((target) => target.includes('inotify'))).toEqual([]);
  loops.add(0);
  await healthy(resource, 1);
  makeByHand();
  await healthy(made, 1);
  await kubelet.restart();
  await healthy(resource, 1);
  await healthy(made, 1);
});

test('without descriptors: the devices known stay, and what came meanwhile is there when there are some again', async () => {
  await startKubelet();
  agent = await startAgent(folder, config);
  await begun();
  loops.add(0);
  await healthy(resource, 1);
  const limit = (count: string): void => {
    execFileSync('prlimit', ['--pid', `${agent.pid}`, `--nofile=${count}:4096`]);
  };
  // Those that are open stay open, and none is left.
  limit('10');
  loops.add(1);
  makeByHand();
  await vi.waitFor(() => {
    expect(agent.log()).toContain('"event":"device.look_failed"');
  }, 10_000);
  expect(agent.log()).toMatch(/device.look_failed.*too many open files/i);
  expect(Object.values(healthOf(resource))).toEqual(['Healthy']);
  // Allocation needs no descriptor: the connection is open.
  expect(await pathsGiven(resource, idsOf(resource))).toEqual([loops.path(0)]);
  limit('4096');
  await healthy(resource, 2);
  await healthy(made, 1);
});
