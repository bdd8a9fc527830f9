import { afterEach, expect, test, vi } from 'vitest';
import { createLogger } from '../../kit/log.ts';
import { loadNodeConfig } from '../nodeconfig.ts';
import { DoctorWatch } from './doctorwatch.ts';
import type { DoctorOptions } from './doctor.ts';
import type { Finding } from './finding.ts';

const loaded = loadNodeConfig(
  'apiVersion: berth.dev/v1alpha1\nkind: NodeConfig\ndevices: {resources: [{name: berth.dev/null, paths: [/dev/null]}]}\n',
  'a',
);
const config = 'config' in loaded ? loaded.config : undefined;

const finding = (id: string, severity: Finding['severity'], message = ''): Finding => ({
  ...{ id, title: id, severity, message, evidence: [], link: '' },
});

let running: DoctorWatch | undefined;
afterEach(() => running?.stop());

test('what is found is told once, and again when it is another; the API is not asked', async () => {
  if (config === undefined) throw new Error('the configuration is wrong');
  const lines: { readonly probe?: string }[] = [];
  const log = createLogger('info', { write: (line) => lines.push(JSON.parse(line) as { probe: string }) });
  const found = { now: [finding('kubelet.root', 'pass'), finding('cni.bin-dir', 'failure', 'it is full')] };
  const skipped = new Set<string>();
  let looks = 0;
  const look = (_: unknown, { skip }: DoctorOptions): Promise<readonly Finding[]> => {
    looks++;
    for (const id of skip ?? []) skipped.add(id);
    return Promise.resolve(found.now);
  };
  running = new DoctorWatch(() => config, { env: {}, log }, { first: 0, every: 1 }, look);
  expect(running.findings).toEqual([]);
  running.start();
  await vi.waitUntil(() => looks > 3, { timeout: 20_000 });
  expect(running.findings).toBe(found.now);
  expect(lines).toMatchObject([{ event: 'doctor.finding', probe: 'cni.bin-dir', msg: 'it is full' }]);
  found.now = [finding('cni.bin-dir', 'warning', 'it is nearly full')];
  await vi.waitUntil(() => lines.length > 1, { timeout: 20_000 });
  expect(lines[1]).toMatchObject({ probe: 'cni.bin-dir', msg: 'it is nearly full' });
  expect([...skipped]).toContain('api.rules');
  expect([...skipped].every((id) => id.startsWith('api.'))).toBe(true);
});

test('it looks again when it is told of a change, also of one that comes while it looks', async () => {
  if (config === undefined) throw new Error('the configuration is wrong');
  const current = config;
  const looked = [Promise.withResolvers<undefined>(), Promise.withResolvers<undefined>()] as const;
  const others = structuredClone(config);
  const seen: unknown[] = [];
  const look = (given: unknown): Promise<readonly Finding[]> => {
    seen.push(given);
    if (seen.length === 1) running?.lookAgain();
    looked[seen.length - 1]?.resolve(undefined);
    return Promise.resolve([]);
  };
  const log = createLogger('error');
  const configs = { now: current };
  running = new DoctorWatch(() => configs.now, { env: {}, log }, { first: 3_600_000, every: 3_600_000 }, look);
  running.start();
  running.lookAgain();
  await looked[0].promise;
  configs.now = others;
  await looked[1].promise;
  expect(seen[0]).toBe(current);
  expect(seen[1]).toBe(others);
  expect(seen).toHaveLength(2);
});
