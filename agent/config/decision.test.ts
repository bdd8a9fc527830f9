import { expect, test } from 'vitest';
import { loadNodeConfig } from '../nodeconfig.ts';
import type { NodeConfig } from '../nodeconfig.ts';
import { partOf } from '../part.ts';
import type { Plugin } from '../part.ts';
import { changedFields, formatField } from './changedfields.ts';
import { applicableFields, concerning, decide } from './decision.ts';

const head = 'apiVersion: berth.dev/v1alpha1\nkind: NodeConfig\n';
const agent = 'agent: {port: 9880, logLevel: info}\n';
const network = 'network: {mtu: 1400}\n';
const devices = 'devices: {resources: [{name: a.b/one, paths: [/dev/one]}, {name: a.b/two, paths: [/dev/two]}]}\n';
const storage = 'storage: {pools: [{name: default, path: /p/1}, {name: fast, path: /p/2, capacity: 10Gi}]}\n';
const start = agent + network + devices + storage;

function load(text: string): NodeConfig {
  const loaded = loadNodeConfig(head + text, 'node-1');
  if ('config' in loaded) return loaded.config;
  throw new Error(JSON.stringify(loaded.problems));
}

const changed = (before: string, after: string): string => {
  if (!start.includes(before)) throw new Error(`there is no ${before}`);
  return start.replace(before, after);
};

test.each<[what: string, text: string, applied: readonly string[], pending: readonly string[]]>([
  ['the same text', start, [], []],
  [
    'comments, order of sections, and defaults that are written out',
    `# new\n${storage}kubelet: {}\n${devices}${network}${agent}`,
    [],
    [],
  ],
  ['another way to write a size', changed('10Gi', '10240Mi'), [], []],
  ['the level of the log', changed('logLevel: info', 'logLevel: debug'), ['agent.logLevel'], []],
  [
    'a field that is left out, and so its default',
    changed(', logLevel: info', ', logLevel: warn'),
    ['agent.logLevel'],
    [],
  ],
  ['a port', changed('9880', '9990'), [], ['agent.port']],
  [
    'a port and the level: the section waits',
    changed('9880, logLevel: info', '9990, logLevel: warn'),
    [],
    ['agent.logLevel', 'agent.port'],
  ],
  ['a setting that was not there', changed('{port', '{startupTaint: a.b/c, port'), [], ['agent.startupTaint']],
  ['a map that was not there', changed('{port', '{metrics: {}, port'), [], ['agent.metrics']],
  [
    'two sections, of which one can be taken over',
    changed('1400', '1300').replace('logLevel: info', 'logLevel: error'),
    ['agent.logLevel'],
    ['network.mtu'],
  ],
  [
    'a map with odd keys',
    changed('{mtu: 1400', '{mtu: 1400, sysctls: {net.core.somaxconn: "9"}'),
    [],
    ['network.sysctls["net.core.somaxconn"]'],
  ],
  ['a rule', changed('/dev/two', '/dev/2'), ['devices.resources[a.b/two].paths'], []],
  [
    'a rule that comes and one that goes',
    changed('{name: a.b/one, paths: [/dev/one]}', '{name: a.b/new, paths: [/dev/one]}'),
    ['devices.resources[a.b/one]', 'devices.resources[a.b/new]'],
    [],
  ],
  [
    'rules in another order',
    changed(
      '{name: a.b/one, paths: [/dev/one]}, {name: a.b/two, paths: [/dev/two]}',
      '{name: a.b/two, paths: [/dev/two]}, {name: a.b/one, paths: [/dev/one]}',
    ),
    ['devices.resources'],
    [],
  ],
  [
    'what rules may not find',
    changed('devices: {', 'devices: {deny: [], mountRoots: [/opt], '),
    ['devices.deny', 'devices.mountRoots'],
    [],
  ],
  [
    'rules together with a folder',
    changed('devices: {', 'devices: {cdiDir: /etc/cdi, deny: [], '),
    [],
    ['devices.cdiDir', 'devices.deny'],
  ],
  [
    'a pool and one of its sizes',
    changed('10Gi}', '11Gi}, {name: slow, path: /p/3}'),
    [],
    ['storage.pools[fast].capacity', 'storage.pools[slow]'],
  ],
  ['a plugin that goes', agent + devices + storage, [], ['network']],
])('%s', (_what, text, applied, pending) => {
  const [running, found] = [load(start), load(text)];
  const decision = decide(running, found);
  expect([decision.applied, decision.pending]).toEqual([applied, pending]);
  for (const section of ['agent', 'kubelet', 'network', 'devices', 'storage'] as const) {
    const isTaken = applied.some((field) => field.startsWith(`${section}.`));
    if (isTaken) expect(decision.config[section]).toBe(found[section]);
    else expect(decision.config[section]).toBe(running[section]);
  }
  // What was taken over is no change any more, and what waits waits on.
  expect(decide(decision.config, found)).toEqual({ config: decision.config, applied: [], pending });
});

test.each<[what: string, at: string, found: string, told: Readonly<Record<Plugin, readonly string[]>>]>([
  [
    'their own section',
    start,
    changed('1400', '1300').replace('10Gi', '11Gi'),
    { network: ['network.mtu'], devices: [], storage: ['storage.pools[fast].capacity'] },
  ],
  [
    'what is everybody’s',
    start,
    changed('9880', '9990'),
    { network: ['agent.port'], devices: ['agent.port'], storage: ['agent.port'] },
  ],
  ['their own section that goes', start, agent + network + storage, { network: [], devices: ['devices'], storage: [] }],
  [
    'a section that nobody runs',
    agent + devices + network,
    start,
    { network: ['storage'], devices: ['storage'], storage: [] },
  ],
])('parts of the agent tell of %s', (_what, at, found, told) => {
  const whole = load(at);
  for (const [plugin, pending] of Object.entries(told) as [Plugin, readonly string[]][]) {
    if (whole[plugin] === undefined) continue;
    const decision = decide(partOf(whole, [plugin]), concerning(load(found), [plugin], whole));
    expect([plugin, decision.pending]).toEqual([plugin, pending]);
  }
});

test('what is said to be applicable is a field of the schema', () => {
  const fields = new Set(
    ['agent', 'devices', 'storage'].flatMap((section) =>
      changedFields({}, load(start)[section as 'agent'], [section]).map(formatField),
    ),
  );
  for (const field of applicableFields) expect(fields).toContain(field);
});
