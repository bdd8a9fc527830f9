/** Every probe on a recorded node: sound, and broken in one place. */
import { describe, expect, test } from 'vitest';
import { catalogue } from './catalogue.ts';
import { brokenAgents } from './fake/brokenagents.ts';
import { brokenKernels } from './fake/brokenkernels.ts';
import { brokenKubelets } from './fake/brokenkubelets.ts';
import { brokenNetworks } from './fake/brokennetworks.ts';
import { findingsOn, soundNode } from './fake/tree.ts';

const ids = catalogue.flatMap(({ probes }) => probes.map(({ id }) => id));
const broken = [...brokenKernels, ...brokenKubelets, ...brokenNetworks, ...brokenAgents];

/** They judge the filesystem that the test's folder lies on; test/kernel/doctorpools.test.ts has real ones. */
const ofFilesystems = [
  'storage.pool-filesystem',
  'storage.pool-reflink',
  'storage.pool-space',
  'storage.pool-direct-io',
];

test('a sound node passes every probe that its configuration asks for', async () => {
  const findings = await findingsOn(soundNode);
  const judged = findings.filter(({ id }) => !ofFilesystems.includes(id));
  expect(judged.filter(({ severity }) => severity !== 'pass')).toEqual([]);
  expect(findings.map(({ id }) => id)).toEqual(ids.filter((id) => id !== 'kernel.btrfs'));
});

test('a container that has only the network is asked nothing of the kubelet, of which it sees nothing', async () => {
  const seen = Object.entries(soundNode.files).filter(([path]) => !path.includes('var/lib/kubelet'));
  const sockets = soundNode.sockets.filter((path) => !path.includes('kubelet'));
  const config = 'network: {podCIDR: 10.244.1.0/24}\n';
  const findings = await findingsOn({ ...soundNode, config, files: Object.fromEntries(seen), sockets });
  expect(findings.filter(({ id }) => id.startsWith('kubelet.'))).toEqual([]);
});

describe('a node whose', () => {
  test.each(broken)('$id $how', async ({ id, node, severity, says, fix }) => {
    const finding = (await findingsOn({ ...soundNode, ...node })).find((each) => each.id === id);
    expect(finding).toMatchObject({ severity, link: `docs/doctor.md#${id}` });
    expect(finding?.message).toMatch(says);
    if (fix !== undefined) expect(finding?.fix).toMatch(fix);
  });
});

test('every probe is broken here, or in a kernel of its own', () => {
  const tried = new Set(broken.map(({ id }) => id));
  expect(ids.filter((id) => !tried.has(id) && !ofFilesystems.includes(id))).toEqual([]);
});
