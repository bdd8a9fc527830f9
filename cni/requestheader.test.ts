import { expect, test } from 'vitest';
import { decodeHeader } from './requestheader.ts';

const variables = { CNI_COMMAND: 'ADD' };

test.each<[string, unknown]>([
  ['of today', { protocol: 1, oldest: 1, variables }],
  ['that knows one protocol only', { protocol: 1, variables }],
  ['newer than the agent, that speaks its protocol too', { protocol: 3, oldest: 1, variables }],
  ['with members nobody knows yet', { protocol: 1, variables, trace: {} }],
])('an executable %s is understood', (_what, header) => {
  expect(decodeHeader(header)).toEqual({ variables });
});

test.each<[string, unknown, string]>([
  ['too new', { protocol: 2, variables }, 'the agent speaks protocol 1, the executable 2'],
  ['too new in all it speaks', { protocol: 3, oldest: 2, variables }, 'the executable 3'],
  ['too old', { protocol: 0, variables }, 'the executable 0'],
  ['without a protocol', { variables }, 'the executable none'],
  ['that is no object', 'ADD', 'the executable none'],
  ['without variables', { protocol: 1 }, 'has no variables'],
  ['with variables of another type', { protocol: 1, variables: { CNI_COMMAND: 1 } }, 'has no variables'],
])('an executable %s is refused with the reason', (_what, header, reason) => {
  expect(decodeHeader(header)).toEqual({ refusal: expect.stringContaining(reason) as string });
});
