import { expect, test } from 'vitest';
import { networkSchema } from './config.ts';

test('an empty section is complete', () => {
  expect(networkSchema.parse({})).toEqual({
    name: 'berth',
    podCIDR: 'auto',
    exclude: [],
    mtu: 'auto',
    sysctls: {},
    masquerade: true,
    nonMasqueradeCIDRs: [],
    betweenNodes: { mode: 'auto', vni: 25_189, port: 4_789 },
    cniBinDir: '/opt/cni/bin',
    cniConfDir: '/etc/cni/net.d',
    conflistName: '05-berth.conflist',
    runDir: '/run/berth',
  });
});

test.each([
  [{ podCIDR: '10.1.0.1/24' }, 'podCIDR'],
  [{ podCIDR: '10.1.0.0/31' }, 'podCIDR'],
  [{ podCIDR: 'fd00::/127' }, 'podCIDR'],
  [{ podCIDR: [] }, 'podCIDR'],
  [{ podCIDR: ['auto', '10.1.0.0/24'] }, 'podCIDR'],
  [{ podCIDR: ['10.1.0.0/24', '10.1.0.0/25'] }, 'podCIDR'],
  [{ exclude: ['10.1.0.9', '10.1.0.9-'] }, 'exclude.1'],
  [{ mtu: 100 }, 'mtu'],
  [{ sysctls: { 'kernel.shmmax': '1' } }, 'sysctls.kernel.shmmax'],
  [{ sysctls: { 'net.core.somaxconn': '1\n2' } }, 'sysctls.net.core.somaxconn'],
  [{ sysctls: { 'net.core.somaxconn': 1024 } }, 'sysctls.net.core.somaxconn'],
  [{ mtu: '1500' }, 'mtu'],
  [{ nonMasqueradeCIDRs: ['10.0.0.0/8', 'x'] }, 'nonMasqueradeCIDRs.1'],
  [{ runDir: 'run/berth' }, 'runDir'],
  [{ conflistName: '../x.conflist' }, 'conflistName'],
  [{ conflistName: 'x.conf' }, 'conflistName'],
  [{ name: 'a b' }, 'name'],
  [{ masquerade: 'yes' }, 'masquerade'],
])('%j is refused with its path', (section, path) => {
  expect(networkSchema.safeParse(section).error?.issues.map((issue) => issue.path.join('.'))).toEqual([path]);
});

test.each(['auto', '10.1.0.0/30', 'fd00::/64', ['10.1.0.0/24', 'fd00::/64'], ['10.1.0.0/24', '10.2.0.0/24']])(
  'podCIDR may be %j',
  (podCIDR) => {
    expect(networkSchema.parse({ podCIDR }).podCIDR).toEqual(podCIDR);
  },
);

test('an unknown key is refused', () => {
  expect(networkSchema.safeParse({ podCidr: 'auto' }).error?.issues[0]?.message).toContain('podCidr');
});
