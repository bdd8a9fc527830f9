import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import type { RouteView } from '../../../cni/views.ts';
import type { TrashView } from '../../../csi/views.ts';
import { deviceView, poolView } from '../testobjects.ts';
import { chosen, isNamespaced } from './kinds.ts';
import type { OfNode } from './kinds.ts';
import { printed } from './print.ts';

const options = { output: undefined, noHeaders: false, now: Date.parse('2026-01-02T00:00:00Z') };
const lines = (text: string): string[] => text.split('\n').map((line) => line.replace(/ {3,}/g, '|'));

const trash = (id: string, claim: string): TrashView => ({
  ...{ id, claim, kind: 'volume', name: `pvc-${id}`, pool: 'p', type: 'xfs', size: 1024 },
  ...{ deletedAt: '2026-01-01T23:00:00Z', expiresAt: '', reason: '' },
});

describe('tables', () => {
  test('have the node first, and those of all nodes as one', () => {
    const things: OfNode[] = [
      { node: 'a', item: deviceView('usb-1', ['till']) },
      { node: 'b', item: deviceView('usb-2\u001b[2J') },
    ];
    expect(lines(printed('devices', things, options))).toEqual([
      'NODE|RESOURCE|ID|NODES|HEALTH|NUMA|USED|REASON',
      'a|berth.dev/scanner|usb-1|/dev/usb-1|Healthy|<none>|1/1|<none>',
      'b|berth.dev/scanner|usb-2?[2J|/dev/usb-2?[2J|Healthy|<none>|0/1|<none>',
      '',
    ]);
  });

  test('of pools are two, each with all nodes', () => {
    const addresses = { kind: 'addresses', range: '10.1.0.0/24', size: 253, used: 1, free: 252, cooling: 0 };
    const things = ['a', 'b'].flatMap((node) => [
      { node, item: addresses },
      { node, item: poolView('default', 1024) },
    ]);
    expect(lines(printed('pools', things, { ...options, noHeaders: true }))).toEqual([
      'a|10.1.0.0/24|253|1|252|0',
      'b|10.1.0.0/24|253|1|252|0',
      '',
      expect.stringMatching(/^a\|default\|image/),
      expect.stringMatching(/^b\|default\|image/),
      '',
    ]);
  });

  test('of routes name the other node by its own heading', () => {
    const route: RouteView = { node: 'b', range: '10.1.1.0/24', way: 'direct', via: '192.0.2.1', reason: '' };
    expect(lines(printed('routes', [{ node: 'a', item: route }], options))[0]).toBe(
      'NODE|TO NODE|RANGE|WAY|VIA|REASON',
    );
  });
});

test('for programs: everything, with the node as Kubernetes names it', () => {
  const things = [{ node: 'a', item: deviceView('usb-1') }];
  const expected = { items: [{ nodeName: 'a', ...deviceView('usb-1') }] };
  expect(JSON.parse(printed('devices', things, { ...options, output: 'json' }))).toEqual(expected);
  expect(parse(printed('devices', things, { ...options, output: 'yaml' }))).toEqual(expected);
  expect(printed('devices', things, { ...options, output: 'name' })).toBe('device/berth.dev/scanner/usb-1\n');
});

describe('which are shown', () => {
  const things = [trash('v1', 'shop/data'), trash('v2', 'bank/data'), trash('v3', '')].map((item) => ({
    node: 'a',
    item,
  }));
  const ids = (namespace?: string, name?: string): readonly string[] =>
    chosen('trash', things, namespace, name).map(({ item }) => (item as TrashView).id);

  test.each([
    [undefined, undefined, ['v1', 'v2', 'v3']],
    ['shop', undefined, ['v1']],
    ['shop', 'data', ['v1']],
    [undefined, 'bank/data', ['v2']],
    [undefined, 'pvc-v3', ['v3']],
    ['bank', 'v1', []],
  ])('of the namespace %s by the name %s', (namespace, name, expected) => {
    expect(ids(namespace, name)).toEqual(expected);
  });

  test('of nodes, whatever the namespace', () => {
    const device = [{ node: 'a', item: deviceView('usb-1') }];
    expect(chosen('devices', device, 'shop', 'berth.dev/scanner')).toEqual(device);
    expect([isNamespaced('devices'), isNamespaced('volumes')]).toEqual([false, true]);
  });
});
