import { join } from 'node:path';
import { afterAll, beforeAll, describe, test } from 'vitest';
import { useCluster } from '../../cluster/cluster.ts';
import { manifestFolder } from '../../scripts/deploy.ts';
import { kubectl } from '../../scripts/kubectl.ts';
import { exampleProofs } from '../../scripts/start/proofs.ts';
import { waitUntilSettled } from '../../scripts/start/settle.ts';
import { clusterName } from './setup.ts';

const cluster = useCluster(clusterName);
const examples = join(manifestFolder, 'examples');

describe('the examples run on a real cluster:', () => {
  beforeAll(async () => {
    await kubectl(cluster, ['apply', '-k', examples]);
    await waitUntilSettled(cluster, 120, new AbortController().signal);
  });
  afterAll(async () => {
    await kubectl(cluster, ['delete', '-k', examples, '--wait', '--timeout=90s']);
  });

  test.each(exampleProofs(cluster))('$claim', async ({ prove }) => {
    await prove();
  });
});
