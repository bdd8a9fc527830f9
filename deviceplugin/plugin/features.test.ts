import { mkdir, mkdtemp, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test, vi } from 'vitest';
import { createLogger } from '../../kit/log.ts';
import type { ResourceState, Snapshot } from '../units/unit.ts';
import { state, unit } from './fake/state.ts';
import { createFeaturesFile, featuresText } from './features.ts';

const of = (...states: ResourceState[]): Snapshot => new Map(states.map((each) => [each.rule.name, each]));
const lines = (snapshot: Snapshot): string[] => featuresText(snapshot).trimEnd().split('\n').slice(1);

test('a resource is a label that it is there, and one of how many units are', () => {
  const hostile = unit('x-$(reboot)', ['/dev/x'], { identities: { path: '/dev/x', serial: 'SECRET' } });
  const away = unit('y', ['/dev/y'], { present: false, unhealthy: 'is gone' });
  const snapshot = of(state({ name: 'b.c/serial' }, [hostile, away]), state({ name: 'a.b/fuse' }, []));
  expect(lines(snapshot)).toEqual([
    'a.b/fuse.present=false',
    'a.b/fuse.count=0',
    'b.c/serial.present=true',
    'b.c/serial.count=1',
  ]);
});

test('keys are valid labels however long the name is, and stay apart', () => {
  const names = [`a.b/${'x'.repeat(62)}a`, `a.b/${'x'.repeat(62)}b`];
  const keys = lines(of(...names.map((name) => state({ name }, [])))).map((line) => line.split('=')[0] ?? '');
  expect(new Set(keys).size).toBe(4);
  for (const key of keys) expect(key).toMatch(/^a\.b\/[A-Za-z0-9][-A-Za-z0-9_.]{0,61}[A-Za-z0-9]$/);
});

test('the file stays below what Node Feature Discovery reads', () => {
  const many = Array.from({ length: 300 }, (_, n) => state({ name: `${'a'.repeat(60)}.${'b'.repeat(180)}/r${n}` }, []));
  expect(Buffer.byteLength(featuresText(of(...many)))).toBeLessThanOrEqual(64 * 1024);
});

test('the file is written when it changed, renewed before it expires, and there for the next agent', async () => {
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval', 'Date'], now: Date.UTC(2030, 0, 1) });
  const root = await mkdtemp(join(tmpdir(), 'berth-nfd-'));
  const file = createFeaturesFile(join(root, 'features.d'), createLogger('error', { write: () => undefined }));
  const snapshot = of(state({}, [unit('a', [])]));
  await file.update(snapshot);
  const path = join(root, 'features.d/berth-devices');
  expect(await readFile(path, 'utf8')).toBe(`# +expiry-time=2030-01-01T01:00:00Z\n${featuresText(snapshot)}`);
  const { ino } = await stat(path);
  await file.update(of(state({}, [unit('b', [])])));
  expect((await stat(path)).ino).toBe(ino);
  await rm(path);
  vi.advanceTimersByTime(10 * 60_000);
  await file.stop();
  await file.update(of());
  expect(await readFile(path, 'utf8')).toBe(`# +expiry-time=2030-01-01T01:10:00Z\n${featuresText(snapshot)}`);
  await rm(root, { recursive: true });
  vi.useRealTimers();
});

test('a folder that cannot be written to is no failure of the agent', async () => {
  const root = await mkdtemp(join(tmpdir(), 'berth-nfd-'));
  await mkdir(join(root, 'berth-devices'));
  const file = createFeaturesFile(root, createLogger('error', { write: () => undefined }));
  await expect(file.update(of())).resolves.toBeUndefined();
  await rm(root, { recursive: true });
});
