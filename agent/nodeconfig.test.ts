import { expect, test } from 'vitest';
import { loadNodeConfig } from './nodeconfig.ts';

const head = 'apiVersion: berth.dev/v1alpha1\nkind: NodeConfig\n';

test('a section turns its plugin on with every default; the others stay off', () => {
  const loaded = loadNodeConfig(`${head}network: {}\n`, 'a');
  expect(loaded).toMatchObject({
    config: { agent: { port: 9880 }, kubelet: { rootDir: '/var/lib/kubelet' }, network: { podCIDR: 'auto' } },
  });
  expect(loaded).not.toHaveProperty('config.storage');
  expect(loaded).not.toHaveProperty('config.devices');
});

test('a document that turns nothing on is a mistake', () => {
  expect(loadNodeConfig(`${head}agent: {port: 1}\n`, 'a')).toMatchObject({
    problems: [{ message: 'nothing to do; expected a section network, devices or storage' }],
  });
});
