import { describe, expect, test } from 'vitest';
import { redactLines, redactText, redactValue } from './redact.ts';

const canary = 'CaNaRy0123456789abcdef';
const jwt = `eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJ${canary}.${canary}_-x`;
const key = `-----BEGIN RSA PRIVATE KEY-----\nMIIE${canary}\n${canary}==\n-----END RSA PRIVATE KEY-----`;

describe('text', () => {
  test.each([
    ['a token', `the token is ${jwt} indeed`],
    ['a key', `before\n${key}\nafter`],
    ['a key with escaped ends of lines', JSON.stringify(key)],
    ['a key that was cut off', key.slice(0, 70)],
    ['a key of a kubeconfig', `client-key-data: ${Buffer.from(key).toString('base64')}`],
    ['a certificate of a kubeconfig', `client-certificate-data: ${canary}${canary}==`],
    ['a bearer token', `Authorization: Bearer ${canary}`],
    ['basic authentication', `authorization: Basic ${canary}==`],
    ['a header in JSON', `{"authorization":"Bearer ${canary}"}`],
    ['a header that another quotes', `curl -H 'Authorization: Bearer ${canary}' https://x`],
    ['a URL', `GET https://user:${canary}@host.example/path`],
    ['a URL with a token only', `https://${canary}@host.example`],
    ['a password', `password: ${canary}`],
    ['a quoted password with spaces', `password: "two ${canary} words"`],
    ['an environment variable', `DB_PASSWORD=${canary}`],
    ['a flag', `--token=${canary} --v=2`],
    ['a flag and a word', `--client-secret ${canary}`],
    ['YAML', `users:\n- name: admin\n  user:\n    token: ${canary}\n`],
    ['JSON in JSON', JSON.stringify({ body: JSON.stringify({ api_key: canary }) })],
    ['a cloud key', 'AKIAABCDEFGHIJKLMNOP'],
  ])('%s goes', (_, text) => {
    const left = redactText(text);
    expect(left).toContain('<redacted>');
    expect(left.toLowerCase()).not.toContain(canary.toLowerCase());
    expect(left).not.toContain('AKIAABCDEF');
  });

  test.each([
    'event=volume.created pool=default size=64Mi took=12ms',
    'automountServiceAccountToken: false',
    'secretName: my-tls',
    'the token of the node has expired',
    'https://host.example/path?x=1',
    'mail to a@host.example',
    'expirationSeconds: 3607',
    '-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----',
    'tokenExpirationSeconds: 600',
    '--feature-gates=X=true --key-file=/etc/x',
  ])('%j stays', (text) => {
    expect(redactText(text)).toBe(text);
  });
});

test('objects: by names of keys, by names beside values, and nothing that kubectl keeps twice', () => {
  const pod = {
    metadata: {
      name: 'berth',
      managedFields: [{ manager: canary }],
      annotations: { 'kubectl.kubernetes.io/last-applied-configuration': canary, note: `token=${canary}` },
    },
    spec: {
      automountServiceAccountToken: true,
      imagePullSecrets: [{ name: 'registry' }],
      containers: [
        {
          args: ['run', `--password=${canary}`],
          env: [
            { name: 'SOME_TOKEN', value: canary },
            { name: 'NODE_NAME', value: 'node-1' },
            { name: 'PASS_FROM', valueFrom: { secretKeyRef: { name: 'a-secret', key: 'word' } } },
          ],
        },
      ],
    },
    data: { password: canary, 'config.yaml': `a: 1\nkubeconfig:\n  token: ${canary}\n${key}\n`, apiKey: [canary] },
  };
  const left = JSON.stringify(redactValue(pod));
  expect(left).not.toContain(canary);
  const kept = ['registry', 'node-1', 'a-secret', 'a: 1', '"run"', '"automountServiceAccountToken":true'];
  for (const text of kept) expect(left).toContain(text);
});

test('logs: keys over many lines, and lines that are objects', () => {
  const log = [
    JSON.stringify({ event: 'x', headers: { cookie: canary }, msg: 'kept' }),
    '2026-01-01T00:00:00Z plain words',
    `2026-01-01T00:00:00.123456789Z ${JSON.stringify({ env: [{ name: 'X_TOKEN', value: canary }], msg: `--token=${canary}` })}`,
    key,
    'end',
  ].join('\n');
  const left = redactLines(log);
  expect(left).not.toContain(canary);
  for (const text of ['kept', 'plain words', 'end']) expect(left).toContain(text);
});

test('long hostile text takes no long time', () => {
  // What grows faster than the text would take minutes here.
  const texts = [
    'a'.repeat(200_000),
    '-----BEGIN PRIVATE KEY-----'.repeat(5_000),
    'token='.repeat(30_000),
    '://'.repeat(60_000),
  ];
  for (const text of [...texts, '"password":"'.repeat(15_000), 'x_'.repeat(100_000)])
    expect(typeof redactText(text)).toBe('string');
});
