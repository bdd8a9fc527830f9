import { expect, test } from 'vitest';
import { unitId } from '../../../deviceplugin/units/unitid.ts';
import { deviceViolations } from './devices.ts';
import type { NodeDevices } from './devices.ts';

const name = 'berth.dev/fuse';
const units = [0, 1].map((replica) => `${unitId('path', '/dev/fuse')}::${replica}`);

const sound: NodeDevices = {
  resources: [{ name, paths: ['/dev/fuse', '/dev/absent'], replicas: 2 }],
  present: ['/dev/fuse'],
  registered: { [name]: units },
  allocatable: { [name]: 2, cpu: 2 },
  healthy: { [name]: 2 },
};

test('what exists and is advertised is no violation', () => {
  expect(deviceViolations(sound)).toEqual([]);
});

const planted: readonly (readonly [title: string, change: Partial<NodeDevices>, says: RegExp])[] = [
  ['a device that is gone and still offered', { present: [] }, /registered unit of berth\.dev\/fuse \S+ has no unit/],
  [
    'a unit that is not offered',
    { registered: { [name]: units.slice(1) } },
    /unit of berth\.dev\/fuse \S+::0 has no reg/,
  ],
  ['a unit with another ID', { registered: { [name]: [units[0]!, 'fuse-0::1'] } }, /fuse-0::1 has no unit/],
  [
    'a Node that offers more',
    { allocatable: { [name]: 3 } },
    /the Node offers 3 units of berth\.dev\/fuse, there are 2/,
  ],
  ['a Node that offers none', { allocatable: {} }, /the Node offers 0 units/],
  ['an agent that counts otherwise', { healthy: {} }, /the agent counts 0 units/],
];

test.each(planted)('finds %s', (_title, change, says) => {
  expect(deviceViolations({ ...sound, ...change }).join('\n')).toMatch(says);
});
