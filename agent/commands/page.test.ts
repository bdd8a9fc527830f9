import { expect, test } from 'vitest';
import { hint } from './page.ts';

test.each([
  ['on the node', undefined, undefined, /^Open it in a browser on this node\./],
  ['in a pod', 'berth-system', 'berth-x1', /\n {2}kubectl -n berth-system port-forward berth-x1 9880\n/],
  ['in a pod that does not know its name', 'berth-system', undefined, /port-forward POD 9880\n/],
])('%s it is told how the address is reached', (_, namespace, pod, text) => {
  expect(hint(9880, namespace, pod)).toMatch(text);
});
