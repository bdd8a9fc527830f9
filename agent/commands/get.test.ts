import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { format } from './get.ts';
import { ageText } from './cells.ts';
import { rateText } from './tables.ts';

const attachment = {
  namespace: 'default',
  pod: 'web',
  interface: 'eth0',
  addresses: ['10.1.0.2', 'fd00::2'],
  containerID: 'c1',
  link: 'veth0123456789a',
  mtu: 1400,
  ports: ['8080->80/tcp'],
  ingressRate: 10_000_000,
  egressRate: 0,
  state: 'active',
  since: '2026-01-01T00:00:00.000Z',
};
const now = Date.parse('2026-01-01T00:05:00Z');

describe('attachments', () => {
  test('as a table', () => {
    expect(format('attachments', 'table', [attachment, { ...attachment, namespace: '', pod: '' }], now)).toBe(
      [
        'NAMESPACE   POD      INTERFACE   ADDRESS            PORTS          INGRESS   EGRESS   AGE',
        'default     web      eth0        10.1.0.2,fd00::2   8080->80/tcp   10M       <none>   5m',
        '<none>      <none>   eth0        10.1.0.2,fd00::2   8080->80/tcp   10M       <none>   5m',
        '',
      ].join('\n'),
    );
  });

  test('as a wide table', () => {
    const [heading, row] = format('attachments', 'wide', [attachment], now).split('\n');
    expect(heading).toMatch(/AGE +STATE +LINK +MTU +CONTAINER$/);
    expect(row).toMatch(/5m +active +veth0123456789a +1400 +c1$/);
  });

  test('for programs, with all that is known', () => {
    expect(JSON.parse(format('attachments', 'json', [attachment], now))).toEqual({ items: [attachment] });
    expect(parse(format('attachments', 'yaml', [attachment], now))).toEqual({ items: [attachment] });
  });

  test('none', () => {
    expect(format('attachments', 'table', [], now)).toBe('No attachments found.\n');
    expect(JSON.parse(format('attachments', 'json', [], now))).toEqual({ items: [] });
  });
});

test('routes as a table', () => {
  const far = { node: 'b', range: '10.1.2.0/24', way: 'tunnel', via: '203.0.113.2', reason: '' };
  expect(format('routes', 'table', [far, { ...far, node: 'c', way: 'none', via: '', reason: 'no address' }], now)).toBe(
    [
      'NODE   RANGE         WAY      VIA           REASON',
      'b      10.1.2.0/24   tunnel   203.0.113.2   <none>',
      'c      10.1.2.0/24   none     <none>        no address',
      '',
    ].join('\n'),
  );
});

test('pools as a table', () => {
  expect(
    format(
      'pools',
      'table',
      [{ kind: 'addresses', range: '10.1.0.0/24', size: 253, used: 3, free: 250, cooling: 2 }],
      now,
    ),
  ).toBe('RANGE         SIZE   USED   FREE   COOLING\n10.1.0.0/24   253    3      250    2\n');
});

test.each([
  [-5, '0s'],
  [119_999, '119s'],
  [120_000, '2m'],
  [7_200_000, '2h'],
  [172_800_000, '2d'],
])('%i ms are written %s', (ms, text) => {
  expect(ageText(ms)).toBe(text);
});

test.each([
  [0, '<none>'],
  [999, '999'],
  [1_000, '1k'],
  [1_500_000, '1.5M'],
  [12_345_678, '12.3M'],
  [40_000_000_000, '40G'],
  [5e15, '5000T'],
])('%i bits per second are written %s', (bits, text) => {
  expect(rateText(bits)).toBe(text);
});

const device = {
  resource: 'a.b/camera',
  id: 'cam-0011223344556677',
  nodes: ['/dev/video0', '/dev/snd/pcmC1D0c'],
  health: 'Unhealthy',
  reason: 'it is gone from the node',
  numaNode: null,
  replicas: 2,
  holders: [{ namespace: 'default', pod: 'web', container: 'main' }],
};

test('devices with their health, and who has them', () => {
  const table = format('devices', 'table', [device, { ...device, health: 'Healthy', reason: '', numaNode: 1 }], now);
  expect(table.split('\n').map((line) => line.replace(/ {3,}/g, '|'))).toEqual([
    'RESOURCE|ID|NODES|HEALTH|NUMA|USED|REASON',
    'a.b/camera|cam-0011223344556677|/dev/video0,/dev/snd/pcmC1D0c|Unhealthy|<none>|1/2|it is gone from the node',
    'a.b/camera|cam-0011223344556677|/dev/video0,/dev/snd/pcmC1D0c|Healthy|1|1/2|<none>',
    '',
  ]);
  expect(format('devices', 'wide', [device], now)).toContain('default/web/main');
});

test('the inventory, with what each node is and who offers it', () => {
  const item = {
    node: '/dev/ttyUSB0',
    number: 'c188:0',
    links: ['/dev/serial/by-id/usb-x'],
    subsystem: 'tty',
    driver: 'cp210x',
    bus: 'usb 1-1.4',
    model: '10c4:ea60',
    product: 'Sonoff Zigbee',
    numaNode: null,
    resource: '',
    inUse: '',
  };
  expect(format('inventory', 'table', [item], now)).toMatch(
    /^NODE .*\n\/dev\/ttyUSB0 +tty +cp210x +usb 1-1\.4 +10c4:ea60 +<none> +<none>\n$/,
  );
  expect(format('inventory', 'wide', [item], now)).toMatch(/\/dev\/serial\/by-id\/usb-x +<none> +Sonoff Zigbee\n$/);
});
