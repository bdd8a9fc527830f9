import { expect, test } from 'vitest';
import type { AttachmentView } from '../../../cni/views.ts';
import type { VolumeView } from '../../../csi/views.ts';
import type { DeviceView } from '../../../deviceplugin/views.ts';
import { testViews } from '../testviews.ts';
import { podUses } from './pods.ts';

const views = testViews();
const [attachment] = views['attachments'] as readonly [AttachmentView];
const [device] = views['devices'] as readonly [DeviceView];
const [volume] = views['volumes'] as readonly [VolumeView];
const at = (...pods: readonly string[]): VolumeView => ({
  ...volume,
  published: pods.map((pod, index) => ({ path: `/pods/${index}`, readonly: false, pod })),
});

test('what a pod has from all three is put together under its name', () => {
  const [use, ...others] = podUses([attachment], [device], [volume]);
  expect(others).toEqual([]);
  expect(use).toMatchObject({
    pod: 'shop/web-0',
    attachments: [{ interface: 'eth0' }],
    devices: [{ resource: 'berth.dev/camera', id: 'camera-1', container: 'main' }],
    volumes: [{ id: 'v1-a1-b2' }],
  });
});

test.each<[string, VolumeView, readonly string[]]>([
  ['at two places of one pod is shown once', at('shop/web-0', 'shop/web-0'), ['shop/web-0']],
  ['of two pods is shown with both', at('shop/web-0', 'shop/web-1'), ['shop/web-0', 'shop/web-1']],
  ['of a pod that only its UID tells is shown with its name', at('uid'), ['shop/web-0']],
  ['of a pod that nobody knows is shown with its UID', at('other-uid'), ['other-uid']],
  ['in a folder that is no pod is nobody’s', at(''), []],
])('a volume %s', (_, published, pods) => {
  const uses = podUses([attachment], [], [published]);
  expect(uses.filter(({ volumes }) => volumes.length > 0).map(({ pod, volumes }) => [pod, volumes.length])).toEqual(
    pods.map((pod) => [pod, 1]),
  );
});

test('a runtime that tells no UID does not give a pod what is nobody’s', () => {
  const [use] = podUses([{ ...attachment, podUID: '' }], [], [at('')]);
  expect(use).toMatchObject({ pod: 'shop/web-0', volumes: [] });
});

test('an attachment of a container without a pod is nobody’s', () => {
  expect(podUses([{ ...attachment, namespace: '', pod: '', podUID: '' }], [], [])).toEqual([]);
});
