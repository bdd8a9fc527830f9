import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import type { Finding } from '../doctor/finding.ts';
import { happeningsOf, reasons } from './happenings.ts';
import type { Sight } from './happenings.ts';
import type { NodeViews } from './nodestatus.ts';
import { noViews } from './testviews.ts';

const see = (views: Partial<NodeViews>, conditions: Sight['conditions'] = []): Sight => ({
  views: { ...noViews, ...views },
  conditions,
});
const condition = (type: string, message = ''): Sight['conditions'][number] => ({
  ...{ type, status: message === '' ? 'True' : 'False', reason: 'Any', message },
});
const holder = { namespace: 'shop', pod: 'till', container: 'main' };
const unit = (reason: string, holders = [holder]): NodeViews['devices'][number] => ({
  ...{ resource: 'berth.dev/scanner', id: 'usb-1', replicas: 1, holders, reason },
  health: reason === '' ? 'Healthy' : 'Unhealthy',
});
const attachments = [{ namespace: 'shop', pod: 'till', podUID: 'u-1' }];
const pool = (reason: string): NodeViews['pools'][number] => ({
  ...{ kind: 'storage', name: 'fast', id: 'p', engine: 'image', path: '/p', size: 1, free: 1, reserved: 0 },
  ...{ available: 1, trash: 0, volumes: 0, snapshots: 0, reason },
});
const finding = (severity: Finding['severity']): NodeViews['findings'][number] => ({
  ...{ id: 'agent.config-file', severity, message: 'line 7', fix: undefined },
});
const claimUid = '11111111-2222-3333-4444-555555555555';
const illVolumes = [{ name: `pvc-${claimUid}`, claim: 'shop/data', reasons: ['DataLoss'] }];

const node = { kind: 'Node', name: 'a', uid: 'a' };
const tillPod = { kind: 'Pod', namespace: 'shop', name: 'till', uid: 'u-1' };
const claim = { kind: 'PersistentVolumeClaim', namespace: 'shop', name: 'data', uid: claimUid };

test.each<[string, Sight | undefined, Sight, readonly object[]]>([
  ['nothing at the start when all is well', undefined, see({ devices: [unit('')] }, [condition('NetworkReady')]), []],
  [
    'a plugin that stopped serving, once',
    see({}, [condition('Ready'), condition('StorageReady')]),
    see({}, [condition('Ready', 'gone'), condition('StorageReady', 'gone')]),
    [{ regarding: node, type: 'Warning', reason: 'NotReady', note: 'the storage plugin does not serve: gone' }],
  ],
  [
    'the same state, nothing',
    see({}, [condition('StorageReady', 'gone')]),
    see({}, [condition('StorageReady', 'gone')]),
    [],
  ],
  [
    'a plugin that serves again',
    see({}, [condition('StorageReady', 'gone')]),
    see({}, [condition('StorageReady')]),
    [{ regarding: node, type: 'Normal', reason: 'Ready', note: 'the storage plugin serves again' }],
  ],
  [
    'what is ill already when the agent starts',
    undefined,
    see({ pools: [pool('PoolFull')] }),
    [{ regarding: node, type: 'Warning', reason: 'PoolUnhealthy', note: 'the pool "fast" is not well: PoolFull' }],
  ],
  [
    'a pool that is well again',
    see({ pools: [pool('PoolFull')] }),
    see({ pools: [pool('')] }),
    [{ regarding: node, type: 'Normal', reason: 'PoolHealthy', note: 'the pool "fast" is well again' }],
  ],
  [
    'a configuration that cannot be used',
    see({ findings: [finding('pass')] }),
    see({ findings: [finding('failure'), finding('failure')] }),
    [{ regarding: node, type: 'Warning', reason: 'ConfigUnusable', note: 'line 7' }],
  ],
  [
    'one that can be used again, once that is seen',
    see({ findings: [finding('failure')] }),
    see({ findings: [finding('pass')] }),
    [{ regarding: node, type: 'Normal', reason: 'ConfigUsable' }],
  ],
  ['a doctor that tells nothing, nothing', see({ findings: [finding('failure')] }), see({}), []],
  [
    'changes that wait for a restart, nothing',
    see({}),
    see({ findings: [{ ...finding('warning'), id: 'agent.config-pending' }] }),
    [],
  ],
  [
    'an ill device, to the pod that holds it',
    see({ devices: [unit('')], attachments }),
    see({ devices: [unit('it is gone')], attachments }),
    [
      {
        ...{ regarding: tillPod, type: 'Warning', reason: 'DeviceUnhealthy' },
        note: 'its device usb-1 of berth.dev/scanner is ill: it is gone',
      },
    ],
  ],
  [
    'an ill device, to a pod whose UID nobody knows',
    see({ devices: [unit('')] }),
    see({ devices: [unit('it is gone')] }),
    [{ regarding: { kind: 'Pod', namespace: 'shop', name: 'till' }, reason: 'DeviceUnhealthy' }],
  ],
  ['an ill device that nobody holds, nothing', see({}), see({ devices: [unit('it is gone', [])] }), []],
  [
    'a device that is healthy again',
    see({ devices: [unit('it is gone')], attachments }),
    see({ devices: [unit('')], attachments }),
    [
      {
        ...{ regarding: tillPod, type: 'Normal', reason: 'DeviceHealthy' },
        note: 'its device usb-1 of berth.dev/scanner is healthy again',
      },
    ],
  ],
  [
    'a pod that ended with its ill device, nothing',
    see({ devices: [unit('it is gone')] }),
    see({ devices: [unit('it is gone', [])] }),
    [],
  ],
  [
    'an ill volume, to its claim',
    see({}),
    see({ illVolumes }),
    [{ regarding: claim, type: 'Warning', reason: 'VolumeUnhealthy', note: 'its volume is not well: DataLoss' }],
  ],
  [
    'storage that does not answer, nothing: that is no recovery',
    see({ illVolumes, pools: [pool('PoolFull')] }),
    see({}),
    [],
  ],
  [
    'a volume that is well again',
    see({ illVolumes, pools: [pool('')] }),
    see({ pools: [pool('')] }),
    [{ regarding: claim, type: 'Normal', reason: 'VolumeHealthy', note: 'its volume is well again' }],
  ],
])('tells %s', (_, before, after, expected) => {
  expect(happeningsOf('a', before, after)).toMatchObject(expected);
  expect(happeningsOf('a', before, after)).toHaveLength(expected.length);
});

test('the documentation names every reason, and no other', async () => {
  const text = await readFile(join(import.meta.dirname, '../../docs/berthnode.md'), 'utf8');
  const rows = [...text.matchAll(/^\| (?:Node|Pod|PersistentVolumeClaim) +\| `(\w+)`/gm)];
  expect(rows.map(([, reason]) => reason)).toEqual([...reasons]);
});
