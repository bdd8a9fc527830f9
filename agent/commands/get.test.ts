import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { ageText, format, rateText } from './get.ts';

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
  expect(format('pools', 'table', [{ range: '10.1.0.0/24', size: 253, used: 3, free: 250, cooling: 2 }], now)).toBe(
    'RANGE         SIZE   USED   FREE   COOLING\n10.1.0.0/24   253    3      250    2\n',
  );
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
