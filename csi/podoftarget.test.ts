import { expect, test } from 'vitest';
import { podOfTarget } from './podoftarget.ts';

const uid = 'c9d7a1e2-0b1c-4d5e-8f90-123456789abc';

test.each([
  [`/k/pods/${uid}/volumes/kubernetes.io~csi/pv/mount`, uid],
  [`/k/plugins/kubernetes.io/csi/volumeDevices/publish/pvc-1/${uid}`, uid],
  [`/k/pods/${'0a'.repeat(16)}/volumes/kubernetes.io~csi/pv/mount`, '0a'.repeat(16)],
  [`/k/pods/${uid}`, undefined],
  ['/k/pods/../volumes/x', undefined],
  ['/k/pods/pod-a/volumes/kubernetes.io~csi/pv/mount', undefined],
  [`/elsewhere/pods/${uid}/volumes/kubernetes.io~csi/pv/mount`, undefined],
  [`/k/plugins/kubernetes.io/csi/volumeDevices/staging/${uid}`, undefined],
  [`/k/plugins/kubernetes.io/csi/volumeDevices/publish/pv/${uid}/more`, undefined],
])('%s', (target, pod) => {
  expect(podOfTarget('/k', target)).toBe(pod);
});
