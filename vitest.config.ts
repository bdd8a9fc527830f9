// Test layers as projects: `unit` stands beside the code and needs nothing; the others need root and a real kernel or cluster.
import { defineConfig } from 'vitest/config';
import { BaseSequencer } from 'vitest/node';
import type { TestSpecification } from 'vitest/node';

const rooms = '{agent,cluster,cni,csi,deviceplugin,kit,kubelet,linux,protos,scripts}';

/** What looks at what all others did comes last. */
class LastIsLast extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const sorted = await super.sort(files);
    const isLast = ({ moduleId }: TestSpecification): boolean => moduleId.endsWith('/test/cluster/permissions.test.ts');
    return [...sorted.filter((file) => !isLast(file)), ...sorted.filter(isLast)];
  }
}

export default defineConfig({
  test: {
    sequence: { sequencer: LastIsLast },
    projects: [
      {
        test: {
          name: 'unit',
          include: [`${rooms}/**/*.test.ts`, 'test/{bench,faults/invariants}/**/*.test.ts'],
          // Some start a process, which on a loaded machine takes longer than the 5 s of the default.
          testTimeout: 30_000,
        },
      },
      {
        test: {
          name: 'kernel',
          include: ['test/kernel/**/*.test.ts', 'test/kubelet/**/*.test.ts'],
          testTimeout: 60_000,
          // On a loaded machine building the CNI executable and starting an agent take longer than the 10 s of the default.
          hookTimeout: 60_000,
          // They share one kernel: a mount namespace made by one would hold the loop devices of another.
          fileParallelism: false,
        },
      },
      {
        test: {
          name: 'conformance',
          include: ['test/conformance/**/*.test.ts'],
          testTimeout: 600_000,
          hookTimeout: 1_200_000,
        },
      },
      {
        // One cluster serves the whole run, so its files run one after another, in no order to rely on.
        test: {
          name: 'cluster',
          globalSetup: ['test/cluster/setup.ts'],
          include: ['test/cluster/**/*.test.ts', 'test/faults/*.test.ts'],
          testTimeout: 300_000,
          hookTimeout: 1_800_000,
          fileParallelism: false,
        },
      },
    ],
  },
});
