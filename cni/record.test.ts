import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { hostLinkName, macOf, queueLinkName } from './attachment.ts';
import type { Attachment } from './attachment.ts';
import { decodeRecord, encodeRecord } from './record.ts';

const key = { containerID: 'c1', ifname: 'eth0' };
const plain: Attachment = {
  ...key,
  network: 'berth',
  netns: { path: '/run/netns/cni-1', identity: '4:4026532601' },
  addresses: ['10.244.7.2'],
  host: { name: hostLinkName(key), index: 1_048_577, mac: macOf(key, 'host') },
  sandbox: { name: 'eth0', index: 1_048_578, mac: macOf(key, 'sandbox') },
  mtu: 1400,
  state: 'active',
  since: 1_795_520_000_000,
};
const full: Attachment = {
  ...plain,
  addresses: ['10.244.7.2', 'fd00:7::2'],
  ports: [{ protocol: 'tcp', hostPort: 8080, containerPort: 80, hostIP: '' }],
  limits: {
    ingress: { rate: 1_000_000, burst: 50_000 },
    egress: { rate: 1_000_000, burst: 50_000, link: queueLinkName(key), index: 1_048_579 },
  },
  pod: { namespace: 'default', name: 'web-0', uid: 'b0f4' },
};
const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text);
const whole = bytesOf(encodeRecord(full));

test.each([
  ['with little', plain],
  ['with everything', full],
])('one %s reads as it was written', (_what, attachment) => {
  expect(decodeRecord(bytesOf(encodeRecord(attachment)))).toEqual(attachment);
});

test('any text that came from outside is kept', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (name) => {
      const attachment = { ...full, pod: { namespace: 'default', name, uid: name } };
      expect(decodeRecord(bytesOf(encodeRecord(attachment)))).toEqual(attachment);
    }),
  );
});

describe('damage is noticed', () => {
  test('at every length it can be cut to', () => {
    for (let length = 0; length < whole.length; length++)
      expect(() => decodeRecord(whole.subarray(0, length)), `${length} bytes`).toThrow();
  });

  test('in every bit', () => {
    for (let bit = 0; bit < whole.length * 8; bit++) {
      const damaged = whole.slice();
      damaged[bit >> 3]! ^= 1 << (bit & 7);
      expect(() => decodeRecord(damaged), `bit ${bit}`).toThrow();
    }
  });

  test('in every byte, whatever it becomes, and over up to four in a row', () => {
    const bytes = fc.uint8Array({ minLength: 1, maxLength: 4 });
    fc.assert(
      fc.property(fc.nat(whole.length - 1), bytes, (at, other) => {
        const damaged = whole.slice();
        damaged.set(other.subarray(0, whole.length - at), at);
        fc.pre(!damaged.every((byte, index) => byte === whole[index]));
        expect(() => decodeRecord(damaged)).toThrow();
      }),
      { numRuns: 5_000 },
    );
  });

  test('also where it leaves a record that could be one', () => {
    const other = encodeRecord(full).replace('10.244.7.2', '10.244.7.3');
    expect(() => decodeRecord(bytesOf(other))).toThrow(
      'its checksum is wrong: something has changed it since it was written',
    );
    expect(() => decodeRecord(bytesOf(encodeRecord(full).replace('"format":4', '"format":3')))).toThrow();
    expect(() => decodeRecord(bytesOf(`${encodeRecord(full)}\n`))).toThrow();
    expect(() => decodeRecord(bytesOf(JSON.stringify({ format: 4, ...full })))).toThrow('its checksum is wrong');
  });
});

test.each([
  [1, plain],
  [2, { ...plain, addresses: full.addresses, ports: full.ports }],
  [3, full],
])('one of format %i, which had no checksum, is read', (format, attachment) => {
  expect(decodeRecord(bytesOf(JSON.stringify({ format, ...attachment })))).toEqual(attachment);
});

test('one of a newer agent is refused with both formats, whatever else it has', () => {
  expect(() => decodeRecord(bytesOf('{"format":5,"more":[1]}'))).toThrow(
    'it has format 5 of a newer berth, this one knows those up to 4',
  );
});

test.each(['', '{}', 'null', '[]', '4', '{"format":"4"}', '{"format":0}', '{"format":4}', '\u{feff}{}'])(
  'what is no record is refused: %j',
  (text) => {
    expect(() => decodeRecord(bytesOf(text))).toThrow();
  },
);
