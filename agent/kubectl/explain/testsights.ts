/** Pods and claims for the tests of explanations. */
import type { ClaimObject, PodObject, PodSpec } from '../objects.ts';
import { explainPod } from './pod.ts';
import type { ClaimSight, FleetSight, PodSight } from './sight.ts';

export const Gi = 2 ** 30;

export function pending(spec: PodSpec, message = 'Insufficient berth.dev/scanner'): PodObject {
  return {
    metadata: { name: 'till', namespace: 'shop' },
    spec,
    status: { phase: 'Pending', conditions: [{ type: 'PodScheduled', status: 'False', message }] },
  };
}

export function wanting(limits: Readonly<Record<string, string>>, more: PodSpec = {}): PodSpec {
  return { containers: [{ name: 'main', resources: { limits } }], ...more };
}

export const scanner = wanting({ 'berth.dev/scanner': '1', cpu: '2' });

export function first(nodes: FleetSight, spec: PodSpec = scanner, claims: readonly ClaimSight[] = []): string {
  const sight: PodSight = { pod: pending(spec), events: { seen: [] }, fleet: nodes, claims };
  return explainPod(sight).conclusions[0] ?? '';
}

export function claim(size: string, more: Partial<ClaimSight> = {}, spec: ClaimObject['spec'] = {}): ClaimSight {
  return {
    ...{ namespace: 'shop', name: 'data', volume: undefined, source: undefined },
    claim: {
      seen: {
        metadata: { name: 'data' },
        spec: { storageClassName: 'berth-xfs', resources: { requests: { storage: size } }, ...spec },
        status: { phase: 'Pending' },
      },
    },
    storageClass: {
      seen: {
        metadata: { name: 'berth-xfs' },
        provisioner: 'csi.berth.dev',
        volumeBindingMode: 'WaitForFirstConsumer',
      },
    },
    events: { seen: [] },
    users: { seen: [] },
    ...more,
  };
}

export const onNode = (node: string): NonNullable<ClaimSight['volume']> => ({
  metadata: { name: 'pvc-1' },
  spec: {
    csi: { driver: 'csi.berth.dev' },
    nodeAffinity: {
      required: {
        nodeSelectorTerms: [{ matchExpressions: [{ key: 'csi.berth.dev/node', operator: 'In', values: [node] }] }],
      },
    },
  },
});
