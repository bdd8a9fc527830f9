import { expect, test } from 'vitest';
import { loadNodeConfig } from './nodeconfig.ts';
import { partOf, socketsOf } from './part.ts';

const text = `apiVersion: berth.dev/v1alpha1
kind: NodeConfig
agent: {metrics: {address: 10.0.0.9}}
network: {podCIDR: 10.0.0.0/24}
devices: {resources: [{name: berth.dev/null, paths: [/dev/null]}]}
storage: {pools: [{name: default, path: /pools}]}
`;
const loaded = loadNodeConfig(text, 'a');
if (!('config' in loaded)) throw new Error('the configuration is wrong');
const { config } = loaded;

test.each([
  [['network'], 9880, 'agent-network.sock', ['agent', 'kubelet', 'network']],
  [['devices'], 9881, 'agent-devices.sock', ['agent', 'devices', 'kubelet']],
  [['storage'], 9882, 'agent-storage.sock', ['agent', 'kubelet', 'storage']],
  [['storage', 'devices'], 9881, 'agent-devices.sock', ['agent', 'devices', 'kubelet', 'storage']],
] as const)('%j has port %i, socket %s and the sections %j', (only, port, socket, sections) => {
  const part = partOf(config, only);
  expect(part.agent).toMatchObject({
    port,
    socket: `/run/berth/${socket}`,
    metrics: { address: '10.0.0.9', port: port + 3 },
  });
  expect(Object.keys(part).sort()).toEqual(sections);
  expect(socketsOf(config.agent.socket)).toContain(part.agent.socket);
});

test('without a choice all is as it was given', () => {
  expect(partOf(config, [])).toBe(config);
});
