/**
 * A self-signed certificate, made at start and kept in memory: nobody can verify it, but the token that comes is not read on the way.
 * Written in DER by hand, because Node.js makes keys and signatures but no certificates, and libraries that do bring ten packages for
 * one structure (RFC 5280, section 4.1).
 */
import { generateKeyPairSync, randomBytes, sign } from 'node:crypto';

/** A certificate and its private key, both in PEM. */
export interface KeyPair {
  readonly cert: string;
  readonly key: string;
}

const tags = {
  integer: 0x02,
  bitString: 0x03,
  oid: 0x06,
  utf8String: 0x0c,
  utcTime: 0x17,
  sequence: 0x30,
  set: 0x31,
  version: 0xa0,
} as const;

/** Object identifiers as DER writes their content. */
const ecdsaWithSha256 = Buffer.from('2a8648ce3d040302', 'hex');
const commonName = Buffer.from('550403', 'hex');

const dayMs = 86_400_000;
/** Agents are replaced more often than that. */
const validDays = 3_650;

/** A P-256 key and a certificate for it, valid from a day before `now` (epoch milliseconds), for clocks that differ. */
export function selfSigned(now: number): KeyPair {
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'prime256v1' });
  const algorithm = der('sequence', der('oid', ecdsaWithSha256));
  const subject = der(
    'sequence',
    der('set', der('sequence', der('oid', commonName), der('utf8String', Buffer.from('berth')))),
  );
  const content = der(
    'sequence',
    // v3 is written as 2.
    der('version', der('integer', Buffer.from([2]))),
    der('integer', serialNumber()),
    algorithm,
    subject,
    der('sequence', utcTime(now - dayMs), utcTime(now + validDays * dayMs)),
    subject,
    publicKey.export({ type: 'spki', format: 'der' }),
  );
  const signature = sign('sha256', content, privateKey);
  const certificate = der('sequence', content, algorithm, der('bitString', Buffer.from([0]), signature));
  const lines = certificate.toString('base64').match(/.{1,64}/g) ?? [];
  return {
    cert: ['-----BEGIN CERTIFICATE-----', ...lines, '-----END CERTIFICATE-----', ''].join('\n'),
    key: privateKey.export({ type: 'pkcs8', format: 'pem' }),
  };
}

function der(tag: keyof typeof tags, ...parts: readonly Buffer[]): Buffer {
  const content = Buffer.concat(parts);
  return Buffer.concat([Buffer.from([tags[tag]]), lengthOf(content.length), content]);
}

/** Up to 127 in one byte; above, the number of bytes and then they. */
function lengthOf(length: number): Buffer {
  if (length < 0x80) return Buffer.from([length]);
  if (length < 0x100) return Buffer.from([0x81, length]);
  return Buffer.from([0x82, length >> 8, length & 0xff]);
}

/** Positive, and not beginning with a zero byte, as DER wants integers. */
function serialNumber(): Buffer {
  const bytes = randomBytes(16);
  bytes[0] = 0x40 | ((bytes[0] ?? 0) & 0x3f);
  return bytes;
}

/** `YYMMDDhhmmssZ`: good until 2049. */
function utcTime(at: number): Buffer {
  const digits = new Date(at).toISOString().replaceAll(/[-:T]|\.\d+/g, '');
  return der('utcTime', Buffer.from(digits.slice(2)));
}
