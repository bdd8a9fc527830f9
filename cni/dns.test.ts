import { expect, test } from 'vitest';
import { decodeDns } from './dns.ts';
import type { CniError } from './errors.ts';

test.each<[string, Record<string, unknown>, unknown]>([
  ['nothing', {}, undefined],
  ['an empty object', { dns: {} }, undefined],
  ['an empty domain', { dns: { domain: '' } }, undefined],
  ['an empty list', { dns: { nameservers: [] } }, {}],
  [
    'all members',
    { dns: { nameservers: ['192.0.2.53', '2001:db8::53'], domain: 'a.org', search: ['b.org'], options: ['ndots:5'] } },
    { nameservers: ['192.0.2.53', '2001:db8::53'], domain: 'a.org', search: ['b.org'], options: ['ndots:5'] },
  ],
  [
    "the runtime's, over the configuration's where it says something",
    {
      dns: { nameservers: ['192.0.2.53'], domain: 'a.org', search: ['b.org'] },
      runtimeConfig: { dns: { servers: ['203.0.113.53'], searches: [], options: ['ndots:5'] } },
    },
    { nameservers: ['203.0.113.53'], domain: 'a.org', search: ['b.org'], options: ['ndots:5'] },
  ],
  [
    "containerd's capital keys, null for what a pod has not",
    { runtimeConfig: { dns: { Servers: ['203.0.113.53'], Searches: ['c.org'], Options: null } } },
    { nameservers: ['203.0.113.53'], search: ['c.org'] },
  ],
  [
    'a runtime with nothing to say',
    { runtimeConfig: { dns: { Servers: null, Searches: [], Options: [] } } },
    undefined,
  ],
  ['a runtime with null', { runtimeConfig: { dns: null } }, undefined],
])('of %s the answer has what was said', (_what, config, dns) => {
  expect(decodeDns(config)).toEqual(dns);
});

test.each<[string, Record<string, unknown>]>([
  ['a text', { dns: 'a.org' }],
  ['one name server', { dns: { nameservers: '192.0.2.53' } }],
  ['a line break', { dns: { search: ['a.org\nnameserver 203.0.113.1'] } }],
  ['a number', { runtimeConfig: { dns: { servers: [1] } } }],
  ['a thousand name servers', { dns: { nameservers: Array<string>(1_000).fill('192.0.2.53') } }],
])('%s gets code 7', (_what, config) => {
  expect(() => decodeDns(config)).toThrow(expect.objectContaining({ cniCode: 7 }) as CniError);
});
