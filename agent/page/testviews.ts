/** Views of a node that has everything, for tests; every name in it can be made hostile. */
import type { AddressPoolView, AttachmentView, RouteView } from '../../cni/views.ts';
import type { SnapshotView, StoragePoolView, TrashView, VolumeView } from '../../csi/views.ts';
import type { DeviceView } from '../../deviceplugin/views.ts';
import type { RecentCall } from '../../kit/recentcalls.ts';
import type { RegistrationView } from '../../kubelet/registrationview.ts';
import type { ServiceState } from '../health.ts';

const GiB = 1_073_741_824;
const at = '2026-11-28T10:11:12.000Z';

/** `by` makes the name of a thing out of a harmless one. */
export function testViews(by: (name: string) => string = (name) => name): Readonly<Record<string, readonly object[]>> {
  const pod = { namespace: by('shop'), pod: by('web-0') };
  const claim = `${by('shop')}/${by('data')}`;
  const services: ServiceState[] = [
    { name: 'network', reason: undefined },
    { name: by('devices'), reason: by('not registered') },
  ];
  const attachments: AttachmentView[] = [
    {
      ...pod,
      podUID: by('uid'),
      interface: by('eth0'),
      addresses: ['10.0.0.2', by('fd00::2')],
      containerID: by('0123456789abcdef'),
      link: by('berth1'),
      mtu: 1500,
      ports: [by('8080->80/tcp')],
      ingressRate: 8_000_000,
      egressRate: 0,
      state: 'active',
      since: at,
    },
  ];
  const routes: RouteView[] = [
    { node: by('node-2'), range: '10.0.1.0/24', way: 'direct', via: '192.0.2.2', reason: '' },
    { node: by('node-3'), range: by('10.0.2.0/24'), way: 'none', via: '', reason: by('no address') },
  ];
  const devices: DeviceView[] = [
    {
      resource: by('berth.dev/camera'),
      id: by('camera-1'),
      nodes: [by('/dev/video0')],
      health: 'Healthy',
      reason: '',
      numaNode: 1,
      replicas: 1,
      holders: [{ ...pod, container: by('main') }],
    },
    {
      resource: 'berth.dev/camera',
      id: by('camera-2'),
      nodes: [],
      health: 'Unhealthy',
      reason: by('it is unplugged'),
      numaNode: null,
      replicas: 4,
      holders: [],
    },
  ];
  const pools: (AddressPoolView | StoragePoolView)[] = [
    { kind: 'addresses', range: '10.0.0.0/24', size: 253, used: 1, free: 252, cooling: 2 },
    {
      kind: 'storage',
      name: by('fast'),
      id: 'a1',
      engine: 'image',
      path: by('/var/lib/berth/pools/fast'),
      size: 10 * GiB,
      free: 8 * GiB,
      reserved: 2 * GiB,
      available: 7 * GiB,
      trash: GiB,
      volumes: 1,
      snapshots: 1,
      reason: by('pool-slow'),
    },
  ];
  const volumes: VolumeView[] = [
    {
      id: by('v1-a1-b2'),
      name: by('pvc-1'),
      claim,
      pool: by('fast'),
      type: 'ext4',
      size: GiB,
      used: GiB / 2,
      allocated: GiB,
      provisioning: 'thick',
      state: 'ready',
      reasons: [by('damaged')],
      staged: '/staged',
      published: [{ path: by('/pods/x'), readonly: false, pod: `${pod.namespace}/${pod.pod}` }],
      source: '',
      createdAt: at,
    },
  ];
  const snapshots: SnapshotView[] = [
    {
      id: by('s1-a1-c3'),
      name: 'snapshot-1',
      pool: by('fast'),
      source: 'v1-a1-b2',
      claim,
      type: 'ext4',
      size: GiB,
      allocated: GiB / 4,
      group: '',
      reserved: true,
      state: 'ready',
      createdAt: at,
    },
  ];
  const trash: TrashView[] = [
    {
      id: by('v1-a1-d4'),
      kind: 'volume',
      name: 'pvc-2',
      claim: by('shop/old'),
      pool: by('fast'),
      type: 'ext4',
      size: GiB,
      deletedAt: at,
      expiresAt: at,
      reason: '',
    },
  ];
  const registrations: RegistrationView[] = [
    { kind: 'CSI driver', name: by('csi.berth.dev'), state: 'registered', reason: '' },
    { kind: 'device plugin', name: by('berth.dev/camera'), state: 'lost', reason: by('the kubelet has gone') },
  ];
  const calls: RecentCall[] = [
    { method: 'ADD', subject: by('shop/web-0 eth0'), code: 'OK', ms: 1.2, at, times: 1 },
    { method: 'CreateVolume', subject: by('pvc-9'), code: by('RESOURCE_EXHAUSTED'), ms: 12.3, at, times: 3 },
  ];
  const doctor = [
    {
      id: by('kernel.version'),
      title: 'Kernel',
      severity: 'pass',
      message: 'it is new enough',
      evidence: [],
      link: '',
    },
    {
      id: by('cni.rival'),
      title: by('Other networks'),
      severity: 'failure',
      message: by('another network is there'),
      evidence: [{ what: by('10-other.conflist'), from: by('/etc/cni/net.d') }],
      fix: by('rm it'),
      link: by('docs/limits.md'),
    },
  ];
  return {
    ...{ services, attachments, routes, devices, pools, volumes, snapshots, trash, registrations, calls, doctor },
  };
}
