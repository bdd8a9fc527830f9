import { expect, test, vi } from 'vitest';
import { health } from '../config/health.ts';
import { HealthMonitor } from './monitor.ts';
import type { Observation } from './hysteresis.ts';

const rule = health.parse({ command: ['x'], intervalSeconds: 0.1, failures: 1, successes: 1, timeoutSeconds: 0.1 });
const subject = (id: string): { resource: string; id: string; paths: string[]; devpaths: string[] } => ({
  resource: 'a.b/port',
  id,
  paths: [],
  devpaths: [],
});

test('a unit is unhealthy until its first probe, then as its probes say, and forgotten when it goes', async () => {
  let answer: Observation;
  const changed = vi.fn();
  const monitor = new HealthMonitor({ probe: () => Promise.resolve(answer), changed });
  monitor.watch([{ subject: subject('one'), rule }]);
  expect(monitor.problemOf('a.b/port', 'one', rule)).toBe('was not probed yet');
  await vi.waitFor(
    () => {
      expect(monitor.problemOf('a.b/port', 'one', rule)).toBeUndefined();
    },
    { timeout: 20_000 },
  );
  answer = 'is off';
  await vi.waitFor(
    () => {
      expect(monitor.problemOf('a.b/port', 'one', rule)).toBe('is off');
    },
    { timeout: 20_000 },
  );
  answer = undefined;
  await vi.waitFor(
    () => {
      expect(monitor.problemOf('a.b/port', 'one', rule)).toBeUndefined();
    },
    { timeout: 20_000 },
  );
  expect(changed).toHaveBeenCalledTimes(3);
  answer = 'is off';
  monitor.watch([]);
  monitor.watch([{ subject: subject('one'), rule }]);
  expect(monitor.problemOf('a.b/port', 'one', rule)).toBe('was not probed yet');
  monitor.stop();
});

test('a unit that is only about to be watched was not probed yet, and one without probes is well', () => {
  const monitor = new HealthMonitor({ probe: () => Promise.resolve(undefined), changed: () => undefined });
  expect(monitor.problemOf('a.b/port', 'new', rule)).toBe('was not probed yet');
  expect(monitor.problemOf('a.b/port', 'new', health.parse({}))).toBeUndefined();
});

test('a unit keeps its verdict when its rule is written again with the same health', async () => {
  const monitor = new HealthMonitor({ probe: () => Promise.resolve(undefined), changed: () => undefined });
  monitor.watch([{ subject: subject('one'), rule }]);
  await vi.waitFor(
    () => {
      expect(monitor.problemOf('a.b/port', 'one', rule)).toBeUndefined();
    },
    { timeout: 20_000 },
  );
  const again = structuredClone(rule);
  monitor.watch([{ subject: subject('one'), rule: again }]);
  expect(monitor.problemOf('a.b/port', 'one', again)).toBeUndefined();
  const other = { ...rule, timeoutSeconds: 0.2 };
  monitor.watch([{ subject: subject('one'), rule: other }]);
  expect(monitor.problemOf('a.b/port', 'one', other)).toBe('was not probed yet');
  monitor.stop();
});

test('probes that never come back make their units unhealthy, two at the most hang, and a unit that answers later is well', async () => {
  const hanging = new Map<string, () => void>();
  let most = 0;
  const monitor = new HealthMonitor({
    probe: ({ id }) =>
      new Promise((resolve) => {
        hanging.set(id, () => {
          hanging.delete(id);
          resolve(undefined);
        });
        most = Math.max(most, hanging.size);
      }),
    changed: () => undefined,
  });
  monitor.watch(['one', 'two', 'three'].map((id) => ({ subject: subject(id), rule })));
  await vi.waitFor(
    () => {
      expect(monitor.problemOf('a.b/port', 'one', rule)).toContain('did not answer a probe within 0.1 s');
      expect(monitor.problemOf('a.b/port', 'two', rule)).toContain('did not answer a probe within 0.1 s');
    },
    { timeout: 20_000 },
  );
  expect(monitor.problemOf('a.b/port', 'three', rule)).toBe('was not probed yet');
  expect(most).toBe(2);
  await vi.waitFor(
    () => {
      for (const answer of hanging.values()) answer();
      for (const id of ['one', 'two', 'three']) expect(monitor.problemOf('a.b/port', id, rule)).toBeUndefined();
    },
    { timeout: 20_000 },
  );
  monitor.stop();
});

test('a probe that throws is a probe that failed', async () => {
  const monitor = new HealthMonitor({ probe: () => Promise.reject(new Error('no memory')), changed: () => undefined });
  monitor.watch([{ subject: subject('one'), rule }]);
  await vi.waitFor(
    () => {
      expect(monitor.problemOf('a.b/port', 'one', rule)).toBe('could not be probed: no memory');
    },
    { timeout: 20_000 },
  );
  monitor.stop();
});
