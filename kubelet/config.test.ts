import { expect, test } from 'vitest';
import { kubeletSection } from './config.ts';

test('the root directory defaults to the kubelet’s own default', () => {
  expect(kubeletSection.parse({})).toEqual({ rootDir: '/var/lib/kubelet' });
});

test.each(['kubelet', '/var/lib/../x', '/var/lib/', '/', '', '/a b', `/${'x'.repeat(60)}`, 7])(
  'the root directory %j is refused',
  (rootDir) => {
    expect(kubeletSection.safeParse({ rootDir }).success).toBe(false);
  },
);
