import { expect, test } from 'vitest';
import { matchesPath, parseGlob } from './pathglob.ts';
import { devicesSection } from './section.ts';

const fuse = { name: 'berth.dev/fuse', paths: ['/dev/fuse'] };
const video = { role: 'video', match: { subsystem: 'video4linux' } };
const camera = { name: 'berth.dev/camera', group: { by: 'usbDevice', members: [video] } };

test('a resource needs a name and its devices; the rest has defaults', () => {
  expect(devicesSection.parse({ resources: [fuse] })).toMatchObject({
    devRoot: '/dev',
    sysRoot: '/sys',
    udevRoot: '/run/udev',
    cdiDir: '/var/run/cdi',
    registration: 'socket',
    mountRoots: [],
    resources: [
      {
        ...fuse,
        with: [],
        identity: ['serial', 'port', 'path'],
        permissions: 'rw',
        container: { env: {}, annotations: {}, mounts: [] },
        sharing: { replicas: 1, maxPerContainer: 1, policy: 'distributed' },
        health: { open: 'no', attributes: [], failures: 2, successes: 2, removalGraceSeconds: 60 },
        topology: true,
        injection: 'auto',
      },
    ],
  });
});

test.each([
  'mem',
  'cpu/0/msr',
  'console',
  'tty1',
  'tpmrm0',
  'watchdog',
  'watchdog0',
  'mapper/control',
  'uinput',
  'ipmi0',
])('where nothing else is said /dev/%s of the node is denied', (name) => {
  const globs = devicesSection.parse({ resources: [fuse] }).deny.map(parseGlob);
  expect(globs.some((glob) => typeof glob !== 'string' && matchesPath(glob, `/dev/${name}`))).toBe(true);
});

test('with a folder of rules the section needs none of its own', () => {
  expect(devicesSection.parse({ rulesDir: '/etc/berth/devices' }).resources).toEqual([]);
});

test.each<[string, object, string]>([
  ['no resource', { resources: [] }, 'resources'],
  ['an unknown key', { resources: [{ ...fuse, replicas: 2 }] }, 'resources.0'],
  ['a relative dev root', { devRoot: 'dev', resources: [fuse] }, 'devRoot'],
  ['a dev root that climbs', { devRoot: '/host/../dev', resources: [fuse] }, 'devRoot'],
  ['a denied path outside /dev', { deny: ['/etc/passwd'], resources: [fuse] }, 'deny.0'],
  ['a name twice', { resources: [fuse, fuse] }, 'resources.1.name'],
  [
    'names with the same environment variable',
    { resources: [fuse, { ...fuse, name: 'berth-dev/fuse' }] },
    'resources.1.name',
  ],
])('%s is refused where it stands', (_what, section, path) => {
  expect(pathsOf(section)).toEqual([path]);
});

test.each<[string, object, string]>([
  ['a name without domain', { name: 'fuse' }, 'name'],
  ['a name of Kubernetes', { name: 'node.kubernetes.io/fuse' }, 'name'],
  ['a name for quotas', { name: 'requests.a.b/fuse' }, 'name'],
  ['a domain in capitals', { name: 'Berth.dev/fuse' }, 'name'],
  ['a domain too long', { name: `${'a.'.repeat(122)}b/fuse` }, 'name'],
  ['a name part too long', { name: `a.b/${'x'.repeat(64)}` }, 'name'],
  ['a path outside /dev', { paths: ['/etc/passwd'] }, 'paths.0'],
  ['a path that climbs', { paths: ['/dev/../etc'] }, 'paths.0'],
  ['no path', { paths: [] }, 'paths'],
  ['no replica', { sharing: { replicas: 0 } }, 'sharing.replicas'],
  ['half a replica', { sharing: { replicas: 1.5 } }, 'sharing.replicas'],
  ['too many replicas', { sharing: { replicas: 10_001 } }, 'sharing.replicas'],
  ['more for a container than there are', { sharing: { maxPerContainer: 2 } }, 'sharing.maxPerContainer'],
  ['permission x', { permissions: 'rx' }, 'permissions'],
  ['a permission twice', { permissions: 'rwr' }, 'permissions'],
  ['no permission', { permissions: '' }, 'permissions'],
  ['a companion with wildcards', { with: ['/dev/vfio/*'] }, 'with.0'],
  ['an identity nobody knows', { identity: ['colour'] }, 'identity.0'],
  ['a container path outside /dev', { container: { path: '/etc/x' } }, 'container.path'],
  ['a container path that climbs', { container: { path: '/dev/../etc/x' } }, 'container.path'],
  ['one container path for many devices', { paths: ['/dev/tty*'], container: { path: '/dev/x' } }, 'container.path'],
  ['an unknown variable', { container: { env: { A: '{{serial}}' } } }, 'container.env.A'],
  ['half a variable', { container: { env: { A: '{{id' } } }, 'container.env.A'],
  ['no name of a variable', { container: { env: { 'A B': 'x' } } }, 'container.env.A B'],
  ['an annotation that is none', { container: { annotations: { 'a b': 'x' } } }, 'container.annotations.a b'],
  [
    'an annotation that names devices of others',
    { container: { annotations: { 'cdi.k8s.io/x': 'vendor.com/gpu=all' } } },
    'container.annotations.cdi.k8s.io/x',
  ],
  [
    'a mount that is not allowed',
    { container: { mounts: [{ hostPath: '/etc', containerPath: '/etc' }] } },
    'container.mounts.0.hostPath',
  ],
  [
    'a mount that climbs',
    { container: { mounts: [{ hostPath: '/opt/x/../..', containerPath: '/x' }] } },
    'container.mounts.0.hostPath',
  ],
  ['an index in what is written before', { injection: 'cdi', container: { env: { A: '{{index}}' } } }, 'injection'],
  ['a driver pattern with an open bracket', { health: { driver: 'ftdi[' } }, 'health.driver'],
  ['an attribute that climbs', { health: { attributes: [{ name: '../x', is: '1' }] } }, 'health.attributes.0.name'],
  ['an attribute without a condition', { health: { attributes: [{ name: 'x' }] } }, 'health.attributes.0'],
  ['a command without a program', { health: { command: [] } }, 'health.command'],
])('%s is refused where it stands', (_what, change, path) => {
  expect(pathsOf({ mountRoots: ['/opt'], resources: [{ ...fuse, ...change }] })).toEqual([`resources.0.${path}`]);
});

function nested(levels: number): object {
  return levels === 0 ? { subsystem: 'usb' } : { parent: nested(levels - 1) };
}

test.each<[string, object, string]>([
  ['a pattern with an open bracket', { name: 'ttyUSB[' }, 'name'],
  ['nothing', {}, ''],
  ['a vendor with 0x', { usb: { vendor: '0x0403' } }, 'usb.vendor'],
  ['a vendor in capitals', { pci: { vendor: '10DE' } }, 'pci.vendor'],
  ['a class of three digits', { pci: { class: '030' } }, 'pci.class'],
  ['an attribute outside of the device', { attributes: { '../../x': '1' } }, 'attributes.../../x'],
  ['a NUMA node below 0', { numaNode: -1 }, 'numaNode'],
  ['an unknown key in a parent', { parent: { vid: '0403' } }, 'parent'],
  ['an empty exception', { subsystem: 'tty', not: {} }, 'not'],
  ['five levels', nested(4), ''],
])('a selector with %s is refused', (_what, match, path) => {
  const found = pathsOf({ resources: [{ name: 'a.b/c', match: [match] }] });
  expect(found).toEqual([`resources.0.match.0${path === '' ? '' : `.${path}`}`]);
});

test('four levels of a selector are enough and allowed', () => {
  expect(pathsOf({ resources: [{ name: 'a.b/c', match: [nested(3)] }] })).toEqual([]);
});

test('a device that a selector singles out may have one place in every container', () => {
  const zigbee = { name: 'a.b/zigbee', match: [{ usb: { serial: '0001' } }], container: { path: '/dev/zigbee' } };
  expect(pathsOf({ resources: [zigbee] })).toEqual([]);
});

test.each<[string, object, string]>([
  ['two sources', { ...fuse, together: ['/dev/null'] }, 'together'],
  ['no source', { name: 'a.b/c' }, ''],
  [
    'a group without a required part',
    { ...camera, group: { by: 'usbDevice', members: [{ ...video, required: false }] } },
    'group.members',
  ],
  ['one container path for all parts', { ...camera, container: { path: '/dev/camera' } }, 'container.path'],
  ['a role twice', { ...camera, group: { by: 'usbDevice', members: [video, video] } }, 'group.members'],
  ['a group by nothing', { ...camera, group: { by: 'colour', members: [video] } }, 'group.by'],
])('a resource with %s is refused', (_what, rule, path) => {
  expect(pathsOf({ resources: [rule] })).toEqual([`resources.0${path === '' ? '' : `.${path}`}`]);
});

function pathsOf(section: object): readonly string[] {
  return devicesSection.safeParse(section).error?.issues.map((issue) => issue.path.join('.')) ?? [];
}
