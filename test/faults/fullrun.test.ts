// A node whose /run is full: what needs a file there fails with a reason, what is there already goes on.
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import type { ClusterNode } from '../../cluster/node.ts';
import { podManifest, useScene } from '../cluster/scene.ts';
import { invariantsHold } from './invariantshold.ts';

const scene = useScene('fullrun');
const { cluster } = scene;
const node = cluster.nodes[1] as ClusterNode;

async function sh(lines: string): Promise<void> {
  expect(await node.exec(['sh', '-ec', lines])).toMatchObject({ code: 0 });
}

async function answersPing(ip: string): Promise<void> {
  const { stdout } = await node.exec(['busybox', 'ping', '-c', '1', '-W', '5', ip]);
  expect(stdout).toContain('1 packets received');
}

/** Shrinks the tmpfs to what is in it and takes the rest. */
async function fill(): Promise<void> {
  await sh("mount -o remount,size=$(($(df -k /run | awk 'END { print $3 }') + 64))k /run");
  await sh('dd if=/dev/zero of=/run/filler bs=4k 2>/dev/null || true');
}

async function empty(): Promise<void> {
  await sh('rm -f /run/filler && mount -o remount,size=50% /run');
}

beforeAll(async () => {
  await scene.apply(podManifest('before', { node: node.name }));
  await scene.ready('before');
});
afterEach(empty);
afterAll(async () => {
  await scene.remove('pod', '--all');
});

test('a pod that finds /run full is told so and leaves nothing; those before it go on, and it starts once there is room', async () => {
  const before = await scene.ready('before');
  await fill();
  await scene.apply(podManifest('late', { node: node.name }));
  const told = await scene.event('Pod', 'late', /plugin type="berth" failed/);
  expect(told).toMatch(
    /cannot write \/run\/berth\/attachments\/\S+, the record of .*: its file system is full: remove what fills it/,
  );
  await invariantsHold(cluster);
  await answersPing(before.status.podIP ?? '');

  await empty();
  const late = await scene.ready('late');
  await answersPing(late.status.podIP ?? '');
  expect((await scene.ready('before')).metadata.uid).toBe(before.metadata.uid);
  await scene.remove('pod', 'before', 'late');
  await invariantsHold(cluster);
});
