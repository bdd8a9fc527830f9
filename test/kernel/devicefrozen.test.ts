/**
 * Agent and kubelet frozen (SIGSTOP), and the agent killed in the middle of everything. BERTH_TEST_FROZEN_SECONDS says how long
 * they are frozen; what happens meanwhile is the point, so it is one second unless somebody asks for more.
 */
import { writeFileSync } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { LoopDevices } from './loopdevices.ts';
import { startAgent } from './devices/agent.ts';
import type { AgentProcess } from './devices/agent.ts';
import { startKubeletProcess } from './devices/kubeletprocess.ts';
import type { KubeletProcess } from './devices/kubeletprocess.ts';
import { folder, healthOf, healthy, idsOf, kubelet, pathsGiven, startKubelet } from './devices/scene.ts';

const frozenSeconds = Number(process.env['BERTH_TEST_FROZEN_SECONDS'] ?? 1);
const longer = 60_000 + 4 * frozenSeconds * 1_000;
const resource = 'berth.dev/loop';

let loops: LoopDevices;
let agent: AgentProcess | undefined;
let frozen: KubeletProcess | undefined;
let config: object;
beforeEach(() => {
  loops = new LoopDevices(940_000 + (process.pid % 1_000) * 10);
  // By CDI, for there is a file of which a killed agent could leave a half.
  const glob = `/dev/loop${loops.first / 10}?`;
  config = { resources: [{ name: resource, paths: [glob], injection: 'cdi' }] };
});
afterEach(async () => {
  await agent?.end();
  await frozen?.end();
  agent = frozen = undefined;
  loops.close();
});

const listed = (): number => kubelet.resources.get(resource)?.lists ?? 0;
/** How far an agent has come, by what it logs. */
const points = ['agent.starting', 'device.changed', 'service.started', 'device.registered'];
/** What waits in queues meanwhile is the point; nothing tells when it is enough. */
const stayFrozen = (): Promise<void> => sleep(frozenSeconds * 1_000);

test(
  'an agent that was frozen while devices came and went tells the kubelet what is there, over the connection it had',
  async () => {
    await startKubelet();
    agent = await startAgent(folder, config);
    await kubelet.until(() => listed() === 1);
    loops.add(0);
    loops.add(1);
    await healthy(resource, 2);
    const before = listed();
    agent.kill('SIGSTOP');
    loops.remove(0);
    for (let round = 0; round < 20; round++) {
      loops.add(2);
      loops.remove(2);
    }
    loops.add(3);
    await stayFrozen();
    agent.kill('SIGCONT');
    await kubelet.until(() => Object.values(healthOf(resource)).sort().join() === 'Healthy,Healthy,Unhealthy');
    const usable = Object.entries(healthOf(resource)).filter(([, health]) => health === 'Healthy');
    expect(
      await pathsGiven(
        resource,
        usable.map(([id]) => id),
      ),
    ).toEqual([loops.path(1), loops.path(3)]);
    expect(kubelet.registrations).toHaveLength(1);
    expect(listed() - before).toBeLessThanOrEqual(4);
  },
  longer,
);

test(
  'an agent that was frozen while the kubelet restarted registers again',
  async () => {
    await startKubelet();
    agent = await startAgent(folder, config);
    loops.add(0);
    await healthy(resource, 1);
    agent.kill('SIGSTOP');
    await kubelet.restart();
    loops.add(1);
    await stayFrozen();
    agent.kill('SIGCONT');
    await healthy(resource, 2);
  },
  longer,
);

test(
  'a kubelet that was frozen while devices came and went has what is there when it thaws, over the connection it had',
  async () => {
    frozen = await startKubeletProcess(folder);
    const known = frozen;
    agent = await startAgent(folder, config);
    await known.until(() => known.of(resource)?.lists === 1);
    known.kill('SIGSTOP');
    for (let round = 0; round < 100; round++) {
      loops.add(0);
      loops.remove(0);
    }
    for (let index = 1; index < 4; index++) loops.add(index);
    await stayFrozen();
    known.kill('SIGCONT');
    await known.until(() => {
      const all = Object.values(known.of(resource)?.health ?? {});
      return all.filter((health) => health === 'Healthy').length === 3;
    });
    expect(agent.log()).not.toContain('device.session_lost');
  },
  longer,
);

test(
  'an agent that starts while the kubelet is frozen is registered when it thaws',
  async () => {
    frozen = await startKubeletProcess(folder);
    const known = frozen;
    known.kill('SIGSTOP');
    loops.add(0);
    agent = await startAgent(folder, config);
    const started = agent;
    await vi.waitFor(() => {
      expect(started.log()).toContain('"event":"service.started"');
    }, 20_000);
    await stayFrozen();
    known.kill('SIGCONT');
    await known.until(() => Object.values(known.of(resource)?.health ?? {}).join() === 'Healthy');
  },
  longer,
);

test('an agent killed at its start, at its registration and in bursts of events: the next has the same IDs, and nothing half is left', async () => {
  await startKubelet();
  loops.add(9);
  agent = await startAgent(folder, config);
  await healthy(resource, 1);
  const [id = ''] = idsOf(resource);
  for (const point of points)
    for (let burst = 0; burst < 3; burst++) {
      const { log } = agent;
      await vi.waitFor(
        () => {
          expect(log()).toContain(point);
        },
        { timeout: 20_000, interval: 5 },
      );
      // The agent works on them while more come, and is killed at another place each time.
      for (let index = 0; index < 2 * burst; index++) loops.add(index);
      const uevent = `${loops.path(9).replace('/dev/', '/sys/block/')}/uevent`;
      for (let event = 0; event < 150 * burst; event++) writeFileSync(uevent, 'change');
      await agent.end();
      for (let index = 0; index < 2 * burst; index++) loops.remove(index);
      agent = await startAgent(folder, config);
    }
  for (let index = 0; index < 9; index++) loops.add(index);
  await healthy(resource, 10);
  expect(idsOf(resource)).toContain(id);
  expect(await pathsGiven(resource, [id])).toEqual([loops.path(9)]);
  const sockets = (await readdir(kubelet.directory)).filter((name) => name !== 'kubelet.sock');
  expect(sockets).toEqual([kubelet.resources.get(resource)?.endpoint]);
  const files = await readdir(join(folder, 'cdi'));
  expect(files).toEqual(['berth-berth.dev_loop.json']);
  const spec = JSON.parse(await readFile(join(folder, 'cdi', files[0] ?? ''), 'utf8')) as {
    devices: { name: string }[];
  };
  const entries = spec.devices.map(({ name }) => name).filter((name) => !name.includes(':'));
  expect(entries.toSorted()).toEqual(idsOf(resource).toSorted());
});
