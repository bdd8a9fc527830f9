import { X509Certificate, createPrivateKey } from 'node:crypto';
import { expect, test } from 'vitest';
import { selfSigned } from './certificate.ts';

const now = Date.UTC(2026, 10, 28, 12);

test('the certificate is signed by its own key and valid now', () => {
  const { cert, key } = selfSigned(now);
  const made = new X509Certificate(cert);
  expect([made.subject, made.issuer]).toEqual(['CN=berth', 'CN=berth']);
  expect(made.verify(made.publicKey)).toBe(true);
  expect(made.checkPrivateKey(createPrivateKey(key))).toBe(true);
  expect(made.validFromDate.getTime()).toBe(now - 86_400_000);
  expect(made.validToDate.getFullYear()).toBe(2036);
});

test('each has a serial number of its own, as clients that keep certificates want', () => {
  const serials = Array.from({ length: 50 }, () => new X509Certificate(selfSigned(now).cert).serialNumber);
  expect(new Set(serials).size).toBe(50);
});
