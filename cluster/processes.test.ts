import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { expect, test } from 'vitest';
import { childrenOf, identify, isAlive, namespaceLinks, processesWithEnvironment, signalProcess } from './processes.ts';

test('a process is found by its parent and by its environment, and is gone after it was killed', async () => {
  const mark = `CLUSTER_TEST=${crypto.randomUUID()}`;
  const [name, value] = mark.split('=') as [string, string];
  const child = spawn('sleep', ['1000'], { env: { ...process.env, [name]: value } });
  await once(child, 'spawn');
  const found = processesWithEnvironment(mark);
  expect(found.map((each) => each.pid)).toEqual([child.pid]);
  expect(childrenOf(process.pid)).toContain(child.pid);
  expect(found.every(isAlive)).toBe(true);
  const ended = once(child, 'exit');
  expect(signalProcess(found[0], 'SIGKILL')).toBe(true);
  await ended;
  expect(isAlive(found[0])).toBe(false);
  expect(signalProcess(found[0], 'SIGKILL')).toBe(false);
});

test('a pid that was given to another process is not the same process', () => {
  const self = identify(process.pid)!;
  expect(isAlive(self)).toBe(true);
  expect(isAlive({ ...self, startTime: '1' })).toBe(false);
});

test('a process names its namespaces', () => {
  expect(namespaceLinks('self')).toEqual([
    expect.stringMatching(/^mnt:/),
    expect.stringMatching(/^net:/),
    expect.stringMatching(/^pid:/),
  ]);
});
