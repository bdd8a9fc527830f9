/** Networks, devices and pools of a node that are not well. */
import { pools, rowsOf, sound, withApi, withFiles, withSection } from './changes.ts';

export const brokenNetworks = rowsOf([
  [
    'network.pod-range',
    'is not given yet',
    { ...withSection('{}'), ...withApi({ 'GET /api/v1/nodes/node-1': [200, { spec: {} }] }) },
    'failure',
    /no pod range/,
    /--allocate-node-cidrs/,
  ],
  [
    'network.pod-range',
    'cannot be read',
    { ...withSection('{}'), ...withApi({ 'GET /api/v1/nodes/node-1': [403, { message: 'forbidden' }] }) },
    'unknown',
    /forbidden/,
  ],
  [
    'network.range-overlap',
    'is also the LAN',
    withSection('{podCIDR: 192.0.2.0/24}'),
    'failure',
    /192\.0\.2\.0\/24 on eth0/,
    /--cluster-cidr/,
  ],
  [
    'network.range-overlap',
    'is led away in part',
    withFiles({
      'proc/net/route':
        `${sound['proc/net/route'] ?? ''}eth0\t0001F40A\t010200C0\t0003\t0\t0\t0\tC0FFFFFF\t0\t0\t0\n`.replace(
          '0001F40A',
          '4001F40A',
        ),
    }),
    'warning',
    /10\.244\.1\.64\/26|led elsewhere/,
    /ip route del/,
  ],
  [
    'network.forwarding',
    'is off beside an agent',
    withFiles({ 'proc/sys/net/ipv4/ip_forward': '0' }),
    'failure',
    /somebody sets it back/,
    /^sysctl -w net\.ipv4\.ip_forward=1$/,
  ],
  [
    'network.forwarding',
    'is off without an agent',
    { ...withFiles({ 'proc/sys/net/ipv4/ip_forward': '0' }), agent: undefined },
    'warning',
    /when it starts/,
  ],
  [
    'network.accept-ra',
    'is 1 with an advertised route',
    {
      ...withSection('{podCIDR: [10.244.1.0/24, "fd00:1::/64"]}'),
      ...withFiles({
        'proc/net/ipv6_route':
          '00000000000000000000000000000000 00 00000000000000000000000000000000 00 fe800000000000000000000000000001 00000400 00000001 00000000 00450003     eth0\n',
        'proc/sys/net/ipv6/conf/eth0/accept_ra': '1',
        'proc/sys/net/ipv6/conf/all/forwarding': '1',
      }),
    },
    'failure',
    /loses the default route.* eth0/,
    /accept_ra=2/,
  ],
  [
    'devices.cdi',
    'is switched off',
    withFiles({ 'etc/containerd/config.toml': 'enable_cdi = false' }),
    'warning',
    /enable_cdi = false/,
    /enable_cdi = true/,
  ],
  [
    'devices.cdi',
    'reads other folders',
    withFiles({ 'etc/containerd/config.toml': 'cdi_spec_dirs = ["/etc/cdi"]' }),
    'warning',
    /reads CDI files of \/etc\/cdi/,
    /devices\.cdiDir: \/etc\/cdi/,
  ],
  [
    'devices.cdi',
    'is needed of an old runtime',
    {
      config: 'devices: {resources: [{name: b.dev/n, paths: [/dev/null], injection: cdi}]}',
      ...withApi({
        'GET /api/v1/nodes/node-1': [200, { status: { nodeInfo: { containerRuntimeVersion: 'containerd://1.7.2' } } }],
      }),
    },
    'failure',
    /containerd:\/\/1\.7\.2/,
    /containerd 2/,
  ],
  [
    'storage.pool-folder',
    'is missing',
    withFiles({ 'var/lib/berth/pools/default/': undefined }),
    'warning',
    /does not exist/,
    /mkdir -p/,
  ],
  [
    'storage.pool-folder',
    'is a file',
    withFiles({ 'var/lib/berth/pools/default/': undefined, 'var/lib/berth/pools/default': '' }),
    'failure',
    /no folder/,
  ],
  [
    'storage.pool-folder',
    'has a damaged identity',
    withFiles({ 'var/lib/berth/pools/default/pool.json': '{' }),
    'failure',
    /damaged/,
  ],
  [
    'storage.pool-disk',
    'is in fstab only',
    withFiles({ 'etc/fstab': '/dev/sdb1 /var/lib/berth/pools xfs nofail 0 2' }),
    'failure',
    /nothing is mounted on \/var\/lib\/berth\/pools/,
    /^mount \/var\/lib\/berth\/pools$/,
  ],
  [
    'storage.pool-disk',
    'is missed by the agent',
    pools('PoolMissing'),
    'failure',
    /its disk is not mounted/,
    /findmnt/,
  ],
]);
