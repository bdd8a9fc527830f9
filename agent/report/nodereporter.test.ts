import { afterEach, expect, test, vi } from 'vitest';
import type { Happening } from './happenings.ts';
import { NodeReporter } from './nodereporter.ts';
import type { NodeStatus, NodeViews } from './nodestatus.ts';
import { noViews } from './testviews.ts';

const running: NodeReporter[] = [];
afterEach(async () => {
  for (const reporter of running.splice(0)) await reporter.stop();
});

function report(patience: number) {
  const node = { reason: undefined as string | undefined, looks: 0 };
  const said: string[] = [];
  const look = (): Promise<NodeViews> => {
    node.looks++;
    const services = [{ name: 'network', reason: node.reason }];
    return Promise.resolve({ ...noViews, services });
  };
  const say = (what: string): Promise<void> => {
    if (said.at(-1) !== what) said.push(what);
    return Promise.resolve();
  };
  const reporter = new NodeReporter({
    ...{ nodeName: 'a', version: '1', look },
    record: {
      keep: (status: NodeStatus) => say(`Ready ${status.conditions[0]?.status}`),
      close: () => say('closed'),
    },
    events: { record: ({ reason }: Happening) => say(reason) },
    taint: { remove: () => say('taint off') },
    timings: { look: 5, patience },
  });
  running.push(reporter);
  return { node, said, reporter };
}

test('an agent that starts has time until it serves; then everything is said', async () => {
  const { node, said, reporter } = report(3_600_000);
  node.reason = 'is starting';
  reporter.start();
  await vi.waitUntil(() => node.looks > 3, { timeout: 20_000 });
  expect(said).toEqual([]);
  node.reason = undefined;
  await vi.waitUntil(() => said.includes('taint off'), { timeout: 20_000 });
  expect(said.slice(0, 2)).toEqual(['Ready True', 'taint off']);
  node.reason = 'broke';
  await vi.waitUntil(() => said.at(-1) === 'Ready False', { timeout: 20_000 });
  expect(said.slice(-2)).toEqual(['NotReady', 'Ready False']);
  await reporter.stop();
  expect(said.at(-1)).toBe('closed');
});

test('one that does not serve in time says so, and leaves the taint where it is', async () => {
  const { node, said, reporter } = report(0);
  node.reason = 'cannot';
  reporter.start();
  await vi.waitUntil(() => node.looks > 3, { timeout: 20_000 });
  expect(said).toEqual(['NotReady', 'Ready False']);
});

test('a part of the agent that hangs does not hold up the end', async () => {
  const said: string[] = [];
  const say = (what: string): Promise<void> => {
    said.push(what);
    return Promise.resolve();
  };
  const reporter = new NodeReporter({
    ...{ nodeName: 'a', version: '1' },
    look: () => new Promise<never>(() => undefined),
    record: { keep: () => say('kept'), close: () => say('closed') },
    events: { record: () => say('event') },
    timings: { look: 5, patience: 0 },
  });
  reporter.start();
  await reporter.stop();
  expect(said).toEqual(['closed']);
});
