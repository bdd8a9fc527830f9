import { describe, expect, test } from 'vitest';
import type { EventObject } from '../objects.ts';
import { fleet, poolView } from '../testobjects.ts';
import { explainClaim } from './claim.ts';
import type { ClaimSight } from './sight.ts';
import { Gi, claim, first, onNode, pending } from './testsights.ts';

describe('a claim', () => {
  const nodes = fleet({
    'node-1': { pools: [poolView('default', 4 * Gi)] },
    'node-2': { pools: [poolView('default', Gi)] },
  });
  const failed: EventObject = {
    metadata: { name: 'e' },
    type: 'Warning',
    reason: 'ProvisioningFailed',
    message: 'no room',
  };
  const capacity = (node: string, size: string): object => ({
    metadata: { name: node },
    storageClassName: 'berth-xfs',
    nodeTopology: { matchLabels: { 'csi.berth.dev/node': node } },
    maximumVolumeSize: size,
  });
  test.each<[string, ClaimSight, RegExp]>([
    ['that nobody uses', claim('2Gi'), /waits for a pod that uses it.*\n.*room for it on node-1$/],
    [
      'that fits nowhere',
      claim('6Gi'),
      /cannot be made: it asks for 6Gi, and no node has room for it: node-1 has 4Gi in the pool "default", 6Gi asked; node-2 has 1Gi/,
    ],
    [
      'whose node has no room',
      claim('2Gi', {
        claim: {
          seen: {
            metadata: { name: 'data', annotations: { 'volume.kubernetes.io/selected-node': 'node-2' } },
            spec: { storageClassName: 'berth-xfs', resources: { requests: { storage: '2Gi' } } },
          },
        },
        events: { seen: [failed] },
      }),
      /is to be made on node-2, which has 1Gi in the pool "default", 2Gi asked\n.*room for it on node-1\n.*failed: ProvisioningFailed: no room/,
    ],
    [
      'whose pod has no node',
      claim('2Gi', { users: { seen: [pending({})] } }),
      /waits until till has a node: explain pod\/till/,
    ],
    ['of no class', claim('1Gi', {}, { storageClassName: '' }), /names no storage class/],
    [
      'of a class that there is not',
      claim('1Gi', { storageClass: { seen: undefined } }),
      /class berth-xfs, which does not exist/,
    ],
    [
      'of somebody else',
      claim('1Gi', { storageClass: { seen: { metadata: { name: 'x' }, provisioner: 'other.example' } } }),
      /not Berth's: its class berth-xfs belongs to other\.example/,
    ],
    [
      'of a pool that there is not',
      claim('1Gi', {
        storageClass: { seen: { metadata: { name: 'x' }, provisioner: 'csi.berth.dev', parameters: { pool: 'fast' } } },
      }),
      /node-1 has no pool "fast"; node-2 has no pool "fast"/,
    ],
    [
      'of a snapshot on one of the nodes',
      claim('1Gi', { source: { node: 'node-2' } }),
      /There is room for it on node-2$/,
    ],
    [
      'that is filled from another node',
      claim('1Gi', { source: { volume: onNode('node-3') } }),
      /node-1 is not where the source of its data is/,
    ],
    ['that has its volume', claim('1Gi', { volume: onNode('node-2') }), /bound to the volume pvc-1, on node-2$/],
    ['that is not there', claim('1Gi', { claim: { seen: undefined } }), /does not exist/],
    [
      'that may not be seen',
      claim('1Gi', { claim: { unseen: 'forbidden', why: 'you may not' } }),
      /could not be seen: you may not/,
    ],
  ])('%s', (_, sight, pattern) => {
    expect(explainClaim(sight, nodes).conclusions.join('\n')).toMatch(pattern);
  });

  test('finds no room in a pool that cannot make its filesystem', () => {
    const subvolumes = { ...poolView('subvolumes', 100 * Gi), engine: 'subvolume' } as const;
    const mixed = fleet({ 'node-1': { pools: [poolView('default', Gi), subvolumes] } });
    const of = (fstype: string): ClaimSight =>
      claim('6Gi', {
        storageClass: {
          seen: {
            metadata: { name: fstype },
            provisioner: 'csi.berth.dev',
            parameters: { 'csi.storage.k8s.io/fstype': fstype },
          },
        },
      });
    expect(explainClaim(of('xfs'), mixed).conclusions[0]).toMatch(
      /for it: node-1 has 1Gi in the pool "default", 6Gi asked$/,
    );
    expect(explainClaim(of('btrfs'), mixed).conclusions[0]).not.toContain('cannot be made');
  });

  test('is held to what the scheduler believes, where no agent answers', () => {
    const blind = { ...nodes, pools: [], capacities: { seen: [capacity('node-1', '3Gi') as never] } };
    expect(explainClaim(claim('4Gi'), blind).conclusions[0]).toContain(
      'node-1 offers 3Gi to the scheduler, 4Gi asked; node-2 offers no room to the class berth-xfs',
    );
  });

  test('keeps its pod waiting, or on the node where its volume is', () => {
    expect(first(nodes, {}, [claim('6Gi')])).toMatch(
      /^shop\/till waits for the claim data: node-1 has 4Gi in the pool/,
    );
    expect(first(nodes, {}, [claim('1Gi', { claim: { seen: undefined } })])).toMatch(
      /the claim data, which does not exist/,
    );
    const spec = { nodeSelector: { 'kubernetes.io/hostname': 'node-1' } };
    expect(first(nodes, spec, [claim('1Gi', { volume: onNode('node-2') })])).toContain(
      'node-1 is not where its volume is',
    );
  });
});
