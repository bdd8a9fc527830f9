import { expect, test } from 'vitest';
import { devicesSection } from './config.ts';

const fuse = { name: 'berth.dev/fuse', paths: ['/dev/fuse'] };

test('a resource needs a name and paths; the rest has defaults', () => {
  expect(devicesSection.parse({ resources: [fuse] })).toEqual({
    devRoot: '/dev',
    resources: [{ ...fuse, count: 1, permissions: 'rw' }],
  });
});

test.each([
  ['no resource', { resources: [] }, 'resources'],
  ['an unknown key', { resources: [{ ...fuse, replicas: 2 }] }, 'resources.0'],
  ['a name without domain', { resources: [{ ...fuse, name: 'fuse' }] }, 'resources.0.name'],
  ['a name of Kubernetes', { resources: [{ ...fuse, name: 'node.kubernetes.io/fuse' }] }, 'resources.0.name'],
  ['a name for quotas', { resources: [{ ...fuse, name: 'requests.a.b/fuse' }] }, 'resources.0.name'],
  ['a domain in capitals', { resources: [{ ...fuse, name: 'Berth.dev/fuse' }] }, 'resources.0.name'],
  ['a domain too long', { resources: [{ ...fuse, name: `${'a.'.repeat(122)}b/fuse` }] }, 'resources.0.name'],
  ['a name part too long', { resources: [{ ...fuse, name: `a.b/${'x'.repeat(64)}` }] }, 'resources.0.name'],
  ['a path outside /dev', { resources: [{ ...fuse, paths: ['/etc/passwd'] }] }, 'resources.0.paths.0'],
  ['a path that climbs', { resources: [{ ...fuse, paths: ['/dev/../etc'] }] }, 'resources.0.paths.0'],
  ['no path', { resources: [{ ...fuse, paths: [] }] }, 'resources.0.paths'],
  ['count 0', { resources: [{ ...fuse, count: 0 }] }, 'resources.0.count'],
  ['half a device', { resources: [{ ...fuse, count: 1.5 }] }, 'resources.0.count'],
  ['too many', { resources: [{ ...fuse, count: 10_001 }] }, 'resources.0.count'],
  ['permission x', { resources: [{ ...fuse, permissions: 'rx' }] }, 'resources.0.permissions'],
  ['a permission twice', { resources: [{ ...fuse, permissions: 'rwr' }] }, 'resources.0.permissions'],
  ['no permission', { resources: [{ ...fuse, permissions: '' }] }, 'resources.0.permissions'],
  ['a container path outside /dev', { resources: [{ ...fuse, containerPath: '/etc/x' }] }, 'resources.0.containerPath'],
  [
    'one container path for many devices',
    { resources: [{ ...fuse, paths: ['/dev/tty*'], containerPath: '/dev/x' }] },
    'resources.0.containerPath',
  ],
  ['a name twice', { resources: [fuse, fuse] }, 'resources.1.name'],
  [
    'names with the same environment variable',
    { resources: [fuse, { ...fuse, name: 'berth-dev/fuse' }] },
    'resources.1.name',
  ],
  ['a relative dev root', { devRoot: 'dev', resources: [fuse] }, 'devRoot'],
])('%s is refused where it stands', (_what, section, path) => {
  const parsed = devicesSection.safeParse(section);
  expect(parsed.error?.issues.map((issue) => issue.path.join('.'))).toEqual([path]);
});
