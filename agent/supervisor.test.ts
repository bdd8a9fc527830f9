import { pino } from 'pino';
import { expect, test, vi } from 'vitest';
import { BerthError } from '../kit/errors.ts';
import type { Service } from '../kit/service.ts';
import { Supervisor } from './supervisor.ts';

class ScriptedService implements Service {
  readonly name = 'storage';
  readonly calls: string[] = [];
  reason: string | undefined;
  #starts: (() => Promise<void>)[];
  constructor(...starts: (() => Promise<void>)[]) {
    this.#starts = starts;
  }
  async start(): Promise<void> {
    this.calls.push('start');
    await this.#starts.shift()?.();
  }
  stop(): Promise<void> {
    this.calls.push('stop');
    return Promise.resolve();
  }
  notReady(): string | undefined {
    return this.reason;
  }
}

const silent = pino({ level: 'silent' });
const never = new AbortController().signal;

test('a service that cannot start is tried again and says why until it serves', async () => {
  const second = Promise.withResolvers<undefined>();
  const service = new ScriptedService(
    () => Promise.reject(new BerthError('IO_FAILED', 'pool "fast" is not mounted')),
    async () => {
      await second.promise;
    },
  );
  const supervisor = new Supervisor(service, silent, [0]);
  expect(supervisor.notReady()).toBe('is starting');
  supervisor.start();
  await vi.waitUntil(() => service.calls.length === 2, { timeout: 20_000 });
  expect(supervisor.notReady()).toBe('could not start: pool "fast" is not mounted');
  expect(supervisor.failures).toBe(1);
  second.resolve(undefined);
  await vi.waitUntil(() => supervisor.notReady() === undefined, { timeout: 20_000 });
  service.reason = 'the kubelet is away';
  expect(supervisor.notReady()).toBe('the kubelet is away');
  await expect(supervisor.stop(never)).resolves.toBe(true);
  expect(service.calls).toEqual(['start', 'start', 'stop']);
});

test('stopping while waiting for the next attempt ends the waiting and stops nothing', async () => {
  const service = new ScriptedService(() => Promise.reject(new Error('broken')));
  const supervisor = new Supervisor(service, silent, [3_600_000]);
  supervisor.start();
  await vi.waitUntil(() => supervisor.failures === 1, { timeout: 20_000 });
  await expect(supervisor.stop(never)).resolves.toBe(true);
  expect(service.calls).toEqual(['start']);
});

test('a service that started although it was told to stop is stopped', async () => {
  const gate = Promise.withResolvers<undefined>();
  const service = new ScriptedService(async () => {
    await gate.promise;
  });
  const supervisor = new Supervisor(service, silent);
  supervisor.start();
  const stopped = supervisor.stop(never);
  gate.resolve(undefined);
  await expect(stopped).resolves.toBe(true);
  expect(service.calls).toEqual(['start', 'stop']);
});

test('a service that does not end in time is given up and named so', async () => {
  const service = new ScriptedService();
  service.stop = () => Promise.withResolvers<never>().promise;
  const supervisor = new Supervisor(service, silent);
  supervisor.start();
  await vi.waitUntil(() => supervisor.notReady() === undefined, { timeout: 20_000 });
  const deadline = new AbortController();
  const stopped = supervisor.stop(deadline.signal);
  deadline.abort();
  await expect(stopped).resolves.toBe(false);
});
