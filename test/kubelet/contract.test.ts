/** The scripted kubelet is as the real one in what Berth relies on: test/cluster and test/conformance ask that the same. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe } from 'vitest';
import { createLogger } from '../../kit/log.ts';
import { kubeletContract, kubeletGrace } from './contract.ts';
import type { KubeletUnderTest } from './contract.ts';
import { FakeKubelet } from './fakekubelet.ts';

let rootDir = '';
let kubelet: FakeKubelet;
beforeAll(async () => {
  rootDir = await mkdtemp(join(tmpdir(), 'berth-k-'));
  kubelet = new FakeKubelet(rootDir, createLogger('error', { write: () => undefined }));
  await kubelet.start();
});
afterAll(async () => {
  await kubelet.stop();
  await rm(rootDir, { recursive: true });
});

const scripted: KubeletUnderTest = {
  rootDir: () => rootDir,
  countsOf: (resource) => {
    const known = kubelet.resources.get(resource);
    if (known === undefined) return Promise.resolve(undefined);
    const allocatable = Object.values(known.health).filter((health) => health === 'Healthy').length;
    return Promise.resolve({ allocatable, capacity: known.capacity });
  },
};

describe('the scripted kubelet', () => {
  kubeletContract(scripted);
});
describe('the scripted kubelet with a grace of a moment', () => {
  beforeAll(() => {
    kubelet.script.graceMs = 3_000;
  });
  kubeletGrace(scripted);
});
