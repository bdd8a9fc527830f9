import { expect, test } from 'vitest';
import { parseGoMinor } from './go.ts';

test.each([
  ['go version go1.26.8 linux/amd64', 26],
  ['go version go1.19 linux/amd64', 19],
  ['go version go1.27-rc1 linux/arm64', 27],
  ['go version devel +abc linux/amd64', undefined],
])('%s has the minor version %s', (output, minor) => {
  expect(parseGoMinor(output)).toBe(minor);
});
